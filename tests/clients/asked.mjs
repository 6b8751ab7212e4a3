// What every script here begins and ends with: the question on standard input, keys, the answer on standard output.

import { text } from 'node:stream/consumers'

const ALGORITHMS = {
  ES256: { name: 'ECDSA', namedCurve: 'P-256' },
  PS256: { name: 'RSA-PSS', hash: 'SHA-256' },
  Ed25519: { name: 'Ed25519' },
}

export const asked = JSON.parse(await text(process.stdin))

/** The client's key as WebCrypto has it. */
export async function signingKey({ kid, alg, ...jwk }) {
  return { kid, key: await crypto.subtle.importKey('jwk', jwk, ALGORITHMS[alg], false, ['sign']) }
}

/** Every request a library has sent: kept, so that a test can count them and send one again. */
export const sent = []

export async function watchedFetch(url, options) {
  const answer = await fetch(url, options)
  sent.push({ path: new URL(url).pathname, status: answer.status, url, options })
  return answer
}

export function answer(told) {
  const requests = sent.map(({ path, status }) => [path, status])
  process.stdout.write(JSON.stringify({ ...told, requests }))
}

/** Ask again until the answer is as wanted: a revocation may take a second to be known to all. */
export async function until(wanted, ask) {
  for (const end = Date.now() + 1500; ; await new Promise((go) => setTimeout(go, 50))) {
    const got = await ask()
    if (wanted(got) || Date.now() > end) return got
  }
}

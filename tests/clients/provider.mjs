// A real OpenID provider, with accounts that sign in by a click; everybody may use every client.

import { createServer } from 'node:http'
import { text } from 'node:stream/consumers'
import Provider from 'oidc-provider'

const { issuer, redirect_uri, jwks } = JSON.parse(process.argv[2])

const common = { redirect_uris: [redirect_uri], grant_types: ['authorization_code'], response_types: ['code'] }
const provider = new Provider(issuer, {
  clients: [
    {
      ...common,
      client_id: 'rujukan',
      jwks,
      token_endpoint_auth_method: 'private_key_jwt',
      token_endpoint_auth_signing_alg: 'ES256',
      id_token_signed_response_alg: 'ES256',
    },
    { ...common, client_id: 'by-secret', client_secret: 'a%secret: with+signs', token_endpoint_auth_method: 'client_secret_post' },
    { ...common, client_id: 'another', client_secret: 'b', token_endpoint_auth_method: 'client_secret_basic' },
  ],
  jwks: {
    keys: [
      await key({ name: 'ECDSA', namedCurve: 'P-256' }, 'ES256'),
      await key({ name: 'RSASSA-PKCS1-v1_5', modulusLength: 2048, publicExponent: new Uint8Array([1, 0, 1]), hash: 'SHA-256' }, 'RS256'),
    ],
  },
  enabledJWA: { idTokenSigningAlgValues: ['ES256', 'RS256'] },
  features: { devInteractions: { enabled: false } },
  cookies: { keys: [crypto.randomUUID()] },
  findAccount: (_, accountId) => ({ accountId, claims: () => ({ sub: accountId }) }),
  interactions: { url: (_, { uid }) => `/interaction/${uid}` },
  async loadExistingGrant({ oidc }) {
    const grant = new oidc.provider.Grant({ clientId: oidc.client.clientId, accountId: oidc.session.accountId })
    grant.addOIDCScope('openid')
    await grant.save()
    return grant
  },
})

async function key(algorithm, alg) {
  const { privateKey } = await crypto.subtle.generateKey(algorithm, true, ['sign', 'verify'])
  return { ...(await crypto.subtle.exportKey('jwk', privateKey)), alg, use: 'sig', kid: alg, key_ops: undefined, ext: undefined }
}

const form = `<!doctype html><title>Provider</title><form method="post">
  <input name="account" value="warsih"><button>Sign in</button><button name="deny" value="1">Deny</button></form>`

createServer(async (request, response) => {
  if (!request.url.startsWith('/interaction/')) return provider.callback()(request, response)
  if (request.method === 'GET') return response.setHeader('content-type', 'text/html').end(form)
  const sent = new URLSearchParams(await text(request))
  const denied = { error: 'access_denied', error_description: 'They do not want to.' }
  const result = sent.has('deny') ? denied : { login: { accountId: sent.get('account') } }
  return await provider.interactionFinished(request, response, result, { mergeWithLastSubmission: false })
}).listen(new URL(issuer).port, '127.0.0.1', () => console.log('listens'))

// openid-client goes the same way; it answers a server's nonce by itself.

import * as oauth from 'openid-client'
import { answer, asked, sent, signingKey, until, watchedFetch } from './asked.mjs'

const issuer = new URL(asked.issuer)
const options = { algorithm: 'oauth2', [oauth.customFetch]: watchedFetch }

async function configured(key) {
  return await oauth.discovery(issuer, asked.client_id, undefined, oauth.PrivateKeyJwt(key), options)
}

const config = await configured(await signingKey(asked.jwk))

async function proving(alg) {
  return oauth.getDPoPHandle(config, await oauth.randomDPoPKeyPair(alg))
}

async function token(DPoP, by = config, scope = 'cases.read referrals.read') {
  return await oauth.clientCredentialsGrant(by, { scope }, { DPoP })
}

async function call(DPoP, accessToken) {
  return await oauth.fetchProtectedResource(config, accessToken, new URL('/v1/me', issuer), 'GET', null, undefined, { DPoP })
}

async function refusal(request) {
  try {
    await request()
    return null
  } catch (error) {
    return error.cause?.[0]?.parameters?.error ?? error.error ?? String(error)
  }
}

const scenarios = {
  async 'the whole way'() {
    const DPoP = await proving(asked.jwk.alg)
    const got = await token(DPoP)
    const me = await (await call(DPoP, got.access_token)).json()
    const active = await oauth.tokenIntrospection(config, got.access_token)
    await oauth.tokenRevocation(config, got.access_token)
    const inactive = await until(({ active }) => !active, () => oauth.tokenIntrospection(config, got.access_token))
    const refused = await until((error) => error !== null, () => refusal(() => call(DPoP, got.access_token)))
    return { got, me, active, inactive, refused }
  },

  async 'wrong things'() {
    const DPoP = await proving('ES256')
    const { access_token } = await token(DPoP)
    await call(DPoP, access_token)
    const captured = sent.at(-1)
    const replayed = await fetch(captured.url, captured.options)
    const { privateKey } = await oauth.randomDPoPKeyPair('ES256')
    return {
      replayed: [replayed.status, replayed.headers.get('www-authenticate')],
      'with a key that is not registered': await refusal(async () => token(DPoP, await configured(privateKey))),
      'with a proof by another key': await refusal(async () => call(await proving('ES256'), access_token)),
      'to a scope that is not registered': await refusal(() => token(DPoP, config, 'everything')),
    }
  },
}

answer(await scenarios[asked.scenario]())

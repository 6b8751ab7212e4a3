// oauth4webapi goes the whole way: discovery, token, call, introspection, revocation, refusal; and tries what must not work.

import * as oauth from 'oauth4webapi'
import { answer, asked, sent, signingKey, until, watchedFetch } from './asked.mjs'

const issuer = new URL(asked.issuer)
const client = { client_id: asked.client_id }
const http = { [oauth.customFetch]: watchedFetch }
const authentication = oauth.PrivateKeyJwt(await signingKey(asked.jwk))

const found = await oauth.discoveryRequest(issuer, { algorithm: 'oauth2', ...http })
const server = await oauth.processDiscoveryResponse(issuer, found)

/** A server that wants a nonce is asked once more: the library keeps the nonce, the caller repeats the request. */
async function withNonce(DPoP, request) {
  try {
    return await request({ DPoP, ...http })
  } catch (error) {
    if (!oauth.isDPoPNonceError(error)) throw error
    return await request({ DPoP, ...http })
  }
}

async function proving(alg) {
  return oauth.DPoP(client, await oauth.generateKeyPair(alg))
}

async function token(DPoP, by = authentication) {
  return await withNonce(DPoP, async (options) => {
    const parameters = new URLSearchParams({ scope: 'cases.read referrals.read' })
    const reply = await oauth.clientCredentialsGrantRequest(server, client, by, parameters, options)
    return await oauth.processClientCredentialsResponse(server, client, reply)
  })
}

async function call(DPoP, accessToken, query = '') {
  const url = new URL('/v1/me' + query, issuer)
  return await withNonce(DPoP, (options) => oauth.protectedResourceRequest(accessToken, 'GET', url, undefined, null, options))
}

async function introspect(accessToken) {
  const reply = await oauth.introspectionRequest(server, client, authentication, accessToken, http)
  return await oauth.processIntrospectionResponse(server, client, reply)
}

/** Why a request was refused: the header's parameters, or the error of the body. */
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
    const active = await introspect(got.access_token)
    const revoked = await oauth.revocationRequest(server, client, authentication, got.access_token, http)
    await oauth.processRevocationResponse(revoked)
    const inactive = await until(({ active }) => !active, () => introspect(got.access_token))
    const refused = await until((error) => error !== null, () => refusal(() => call(DPoP, got.access_token)))
    return { got, me, active, inactive, refused }
  },

  async 'wrong things'() {
    const DPoP = await proving('ES256')
    const { access_token } = await token(DPoP)
    await call(DPoP, access_token)
    const captured = sent.at(-1)
    const replayed = await fetch(captured.url, captured.options)
    const another = oauth.PrivateKeyJwt(await oauth.generateKeyPair('ES256').then(({ privateKey }) => privateKey))
    return {
      replayed: [replayed.status, replayed.headers.get('www-authenticate')],
      'with a key that is not registered': await refusal(() => token(DPoP, another)),
      'with a proof by another key': await refusal(async () => call(await proving('ES256'), access_token)),
      'to a scope that is not registered': await refusal(async () => {
        const parameters = new URLSearchParams({ scope: 'everything' })
        const options = { DPoP, ...http }
        const reply = await oauth.clientCredentialsGrantRequest(server, client, authentication, parameters, options)
        await oauth.processClientCredentialsResponse(server, client, reply)
      }),
    }
  },

  async 'the resource says where to ask'() {
    const resource = await oauth.resourceDiscoveryRequest(issuer, http)
    return { resource: await oauth.processResourceDiscoveryResponse(issuer, resource) }
  },

  async 'a service checks a token'() {
    const DPoP = await proving(asked.jwk.alg)
    const { access_token } = await token(DPoP)
    await call(DPoP, access_token)
    const { url, options } = sent.at(-1)
    const request = new Request(url, { method: 'GET', headers: options.headers })
    return { claims: await oauth.validateJwtAccessToken(server, request, asked.issuer, { requireDPoP: true, ...http }) }
  },
}

answer(await scenarios[asked.scenario]())

// npm oidc-provider as an authorization server for one client: private_key_jwt, DPoP, JWT access tokens; everything in memory.

import { createRequire } from 'node:module'

// the packages lie where the tests have them
const { resolve } = createRequire(new URL('../../tests/clients/package.json', import.meta.url))
const { default: Provider } = await import(resolve('oidc-provider'))

const { issuer, client_id, jwks } = JSON.parse(process.argv[2])
const { privateKey } = await crypto.subtle.generateKey({ name: 'ECDSA', namedCurve: 'P-256' }, true, ['sign', 'verify'])
const { key_ops, ext, ...signing } = await crypto.subtle.exportKey('jwk', privateKey)

const provider = new Provider(issuer, {
  clients: [
    {
      client_id,
      jwks,
      redirect_uris: [],
      response_types: [],
      grant_types: ['client_credentials'],
      token_endpoint_auth_method: 'private_key_jwt',
      token_endpoint_auth_signing_alg: 'ES256',
      id_token_signed_response_alg: 'ES256',
      dpop_bound_access_tokens: true,
    },
  ],
  jwks: { keys: [{ ...signing, alg: 'ES256', use: 'sig', kid: 'one' }] },
  cookies: { keys: ['unused'] },
  scopes: ['cases.read'],
  features: {
    clientCredentials: { enabled: true },
    devInteractions: { enabled: false },
    dPoP: { enabled: true },
    resourceIndicators: {
      enabled: true,
      defaultResource: () => issuer,
      useGrantedResource: () => true,
      getResourceServerInfo: () => ({
        scope: 'cases.read',
        accessTokenFormat: 'jwt',
        accessTokenTTL: 300,
        jwt: { sign: { alg: 'ES256' } },
      }),
    },
  },
})
provider.listen(new URL(issuer).port, '127.0.0.1')

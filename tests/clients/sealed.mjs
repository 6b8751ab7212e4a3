// Opens what the exchange's own Python sealed, and seals for it: with jose, which nobody here wrote.

import { GeneralEncrypt, generalDecrypt, importJWK } from 'jose'
import { asked } from './asked.mjs'

const { section, jwe, key, keys, content } = asked
const opened = await generalDecrypt(jwe, await importJWK(key, 'ECDH-ES+A256KW'), {
  keyManagementAlgorithms: ['ECDH-ES+A256KW'],
  contentEncryptionAlgorithms: ['A256GCM'],
})

const sealing = new GeneralEncrypt(new TextEncoder().encode(JSON.stringify(content))).setProtectedHeader({
  enc: 'A256GCM',
  typ: 'rujukan-section',
  cty: 'json',
  section,
  schema_version: '1.0',
})
let recipients = sealing
for (const each of keys) {
  recipients = recipients
    .addRecipient(await importJWK(each, 'ECDH-ES+A256KW'))
    .setUnprotectedHeader({ alg: 'ECDH-ES+A256KW', kid: each.kid })
}

process.stdout.write(
  JSON.stringify({
    opened: JSON.parse(new TextDecoder().decode(opened.plaintext)),
    header: opened.protectedHeader,
    sealed: await sealing.encrypt(),
  }),
)

// libsignal-client behind the line protocol (line_protocol.mjs): several parties in one process, each one device.
//
// Bundles carry no Kyber prekey, so that X3DH and version 3 of the message format are used. Public keys are 33 bytes
// (0x05 and the X25519 key), as libsignal serialises them.
//
//   party {party, registration_id?}                     -> {identity_key, registration_id}
//   bundle {party, signed_prekey_id, prekey_id?}        -> {identity_key, registration_id, device_id, signed_prekey_id,
//                                                           signed_prekey, signed_prekey_signature, prekey_id, prekey}
//   start {party, peer, bundle}                         X3DH as initiator with a bundle of the shape above
//   encrypt {party, peer, data}                         -> {type, message}   type 2: SignalMessage, 3: with prekey
//   decrypt {party, peer, type, message}                -> {data}
//   prekeys {party}                                     -> {ids}             the one-time prekeys that are left
//   sign {party, data}                                  -> {signature}       XEdDSA with the identity key
//   verify {identity_key, data, signature}              -> {valid}
//   safety_number {local_id, local_key, remote_id, remote_key, version, iterations} -> {digits, qr}

import * as signal from "@signalapp/libsignal-client"
import { serve } from "./line_protocol.mjs"

const DEVICE = 1
const parties = new Map() // name -> Party

class Sessions extends signal.SessionStore {
  records = new Map()
  async saveSession(name, record) {
    this.records.set(name.toString(), record.serialize())
  }
  async getSession(name) {
    const record = this.records.get(name.toString())
    return record === undefined ? null : signal.SessionRecord.deserialize(record)
  }
  async getExistingSessions(names) {
    return Promise.all(names.map((name) => this.getSession(name)))
  }
}

class Identities extends signal.IdentityKeyStore {
  known = new Map()
  constructor(key, registrationId) {
    super()
    this.key = key
    this.registrationId = registrationId
  }
  async getIdentityKey() {
    return this.key
  }
  async getLocalRegistrationId() {
    return this.registrationId
  }
  async saveIdentity(name, key) {
    const before = this.known.get(name.toString())
    this.known.set(name.toString(), key.serialize())
    return before !== undefined && !before.equals(key.serialize())
      ? signal.IdentityChange.ReplacedExisting
      : signal.IdentityChange.NewOrUnchanged
  }
  async isTrustedIdentity(name, key) {
    const before = this.known.get(name.toString())
    return before === undefined || before.equals(key.serialize())
  }
  async getIdentity(name) {
    const key = this.known.get(name.toString())
    return key === undefined ? null : signal.PublicKey.deserialize(key)
  }
}

class PreKeys extends signal.PreKeyStore {
  records = new Map()
  async savePreKey(id, record) {
    this.records.set(id, record)
  }
  async getPreKey(id) {
    if (!this.records.has(id)) throw new RangeError(`no one-time prekey ${id}`)
    return this.records.get(id)
  }
  async removePreKey(id) {
    this.records.delete(id)
  }
}

class SignedPreKeys extends signal.SignedPreKeyStore {
  records = new Map()
  async saveSignedPreKey(id, record) {
    this.records.set(id, record)
  }
  async getSignedPreKey(id) {
    if (!this.records.has(id)) throw new RangeError(`no signed prekey ${id}`)
    return this.records.get(id)
  }
}

class NoKyberPreKeys extends signal.KyberPreKeyStore {
  async saveKyberPreKey() {
    throw new RangeError("this peer keeps no Kyber prekeys")
  }
  async getKyberPreKey(id) {
    throw new RangeError(`no Kyber prekey ${id}`)
  }
  async markKyberPreKeyUsed() {}
}

function party(name) {
  const found = parties.get(name)
  if (found === undefined) throw new RangeError(`no party ${name}`)
  return found
}

const address = (name) => signal.ProtocolAddress.new(name, DEVICE)
const key = (bytes) => signal.PublicKey.deserialize(Buffer.from(bytes))

await serve({
  async party({ party: name, registration_id = 1 + Math.floor(Math.random() * 16380) }) {
    const identity = signal.PrivateKey.generate()
    parties.set(name, {
      identity,
      registrationId: registration_id,
      sessions: new Sessions(),
      identities: new Identities(identity, registration_id),
      prekeys: new PreKeys(),
      signedPrekeys: new SignedPreKeys(),
      kyberPrekeys: new NoKyberPreKeys(),
    })
    return { identity_key: identity.getPublicKey().serialize(), registration_id }
  },

  async bundle({ party: name, signed_prekey_id, prekey_id = null }) {
    const p = party(name)
    const signed = signal.PrivateKey.generate()
    const signed_prekey = signed.getPublicKey().serialize()
    const signature = p.identity.sign(signed_prekey)
    await p.signedPrekeys.saveSignedPreKey(signed_prekey_id,
      signal.SignedPreKeyRecord.new(signed_prekey_id, Date.now(), signed.getPublicKey(), signed, signature))
    let prekey = null
    if (prekey_id !== null) {
      const oneTime = signal.PrivateKey.generate()
      await p.prekeys.savePreKey(prekey_id, signal.PreKeyRecord.new(prekey_id, oneTime.getPublicKey(), oneTime))
      prekey = oneTime.getPublicKey().serialize()
    }
    return {
      identity_key: p.identity.getPublicKey().serialize(), registration_id: p.registrationId, device_id: DEVICE,
      signed_prekey_id, signed_prekey, signed_prekey_signature: signature, prekey_id, prekey,
    }
  },

  async start({ party: name, peer, bundle }) {
    const p = party(name)
    await signal.processPreKeyBundle(
      signal.PreKeyBundle.new(
        bundle.registration_id, DEVICE, bundle.prekey_id, bundle.prekey && key(bundle.prekey),
        bundle.signed_prekey_id, key(bundle.signed_prekey), Buffer.from(bundle.signed_prekey_signature),
        key(bundle.identity_key)),
      address(peer), p.sessions, p.identities)
  },

  async encrypt({ party: name, peer, data }) {
    const p = party(name)
    const sealed = await signal.signalEncrypt(Buffer.from(data), address(peer), p.sessions, p.identities)
    return { type: sealed.type(), message: sealed.serialize() }
  },

  async decrypt({ party: name, peer, type, message }) {
    const p = party(name)
    const bytes = Buffer.from(message)
    const data =
      type === signal.CiphertextMessageType.PreKey
        ? await signal.signalDecryptPreKey(signal.PreKeySignalMessage.deserialize(bytes), address(peer), p.sessions,
            p.identities, p.prekeys, p.signedPrekeys, p.kyberPrekeys)
        : await signal.signalDecrypt(signal.SignalMessage.deserialize(bytes), address(peer), p.sessions, p.identities)
    return { data }
  },

  async prekeys({ party: name }) {
    return { ids: [...party(name).prekeys.records.keys()] }
  },

  async sign({ party: name, data }) {
    return { signature: party(name).identity.sign(Buffer.from(data)) }
  },

  async verify({ identity_key, data, signature }) {
    return { valid: key(identity_key).verify(Buffer.from(data), Buffer.from(signature)) }
  },

  async safety_number({ local_id, local_key, remote_id, remote_key, version, iterations }) {
    const fingerprint = signal.Fingerprint.new(
      iterations, version, Buffer.from(local_id), key(local_key), Buffer.from(remote_id), key(remote_key))
    return { digits: fingerprint.displayableFingerprint().toString(),
             qr: fingerprint.scannableFingerprint().toBuffer() }
  },
})

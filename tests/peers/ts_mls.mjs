// ts-mls behind the line protocol (line_protocol.mjs): many members of many groups in one process.
//
// A member is named by the caller ("member": "bob-1") and stands for one client in one group. MLSMessages, trees
// and extensions travel in the encoding of RFC 9420. Each operation that changes a member's state replaces it.
//
//   key_package {member, suite, identity, extensions?, sign_key?, supports?}       -> {message}
//                                                            makes the member's keys; sign_key: the private signature
//                                                            key; supports: further types of extensions
//   create {member, group_id, extensions?}                   -> info
//   join {member, welcome, tree?, resumes?}                  -> info               resumes: member of the old group
//   join_external {member, group_info, tree?, resync?}       -> {message, ...info}
//   group_info {member, tree}                                -> {message}          always with external_pub
//   tree {member}                                            -> {tree}
//   psk {member, psk_id, secret}                                                   an external PSK it may use
//   propose {member, proposal, public}                       -> {message}
//   commit {member, proposals, public, tree}                 -> {message, welcome, ...info}   applied at once
//   process {member, message}                                -> {data} for an application message, else info
//   send {member, data}                                      -> {message}
//   export {member, label, context, length}                  -> {secret}
//   info {member}                                            -> info
//   reinit {member, group_id, suite, extensions}             -> {message, ...info}
//   reinit_create {member, old, key_packages, group_id, suite, extensions}         -> {message, welcome, ...info}
//   branch_create {member, old, key_packages, group_id}                            -> {message, welcome, ...info}
//   join_request {member, group_info}                        -> {message}          a new member's own Add proposal
//   copy {member, as}                                        a second member with the same keys and state
//   forget {member}
//
// info: {group_id, epoch, authenticator, tree_hash, leaf, state, members: [[leaf index, identity], ...]}
// External senders are missing on purpose: ts-mls 1.6.4 encodes external_senders as one sender, not as the vector
// of RFC 9420, 12.1.8.1, and so can exchange them with itself only.
//
// proposal: {type: "add", key_package} | {type: "remove", leaf} | {type: "update"} | {type: "psk", psk_id}
//         | {type: "resumption_psk", group_id, epoch} | {type: "extensions", extensions}
// extensions: [[type number, data], ...]

import { ed448 } from "@noble/curves/ed448.js"
import { p256, p384, p521 } from "@noble/curves/nist.js"
import * as mls from "ts-mls"
import { signWithLabel } from "ts-mls/crypto/signature.js"
import { encode } from "ts-mls/codec/tlsEncoder.js"
import { decodeVarLenData, varLenDataEncoder } from "ts-mls/codec/variableLength.js"
import { createGroupInfo } from "ts-mls/createCommit.js"
import { extensionTypeToNumber } from "ts-mls/extension.js"
import { leafNodeTBSEncoder } from "ts-mls/leafNode.js"
import { decodeRatchetTree, encodeRatchetTree } from "ts-mls/ratchetTree.js"
import { serve } from "./line_protocol.mjs"

const DAY = 86_400n

const members = new Map() // name -> {suite, cs, keys, state, psks, update: {privateKey, leafKey} | undefined}
const suites = new Map() // number -> CiphersuiteImpl

async function suite(number) {
  if (!suites.has(number)) {
    const name = Object.keys(mls.ciphersuites).find((key) => mls.ciphersuites[key] === number)
    if (name === undefined) throw new RangeError(`ts-mls has no suite ${number}`)
    suites.set(number, await mls.getCiphersuiteImpl(mls.getCiphersuiteFromName(name)))
  }
  return suites.get(number)
}

function member(name) {
  const found = members.get(name)
  if (found === undefined) throw new RangeError(`no member ${name}`)
  return found
}

// ts-mls's own key generation gives compressed points; RFC 9420, 5.1.2 asks for uncompressed ones.
async function signatureKeys(cs) {
  const curve = { _P256: p256, _P384: p384, _P521: p521 }[/_P\d+$/.exec(cs.name)?.[0]]
  if (curve !== undefined) {
    const signKey = curve.utils.randomSecretKey()
    return { signKey, publicKey: curve.getPublicKey(signKey, false) }
  }
  if (cs.name.endsWith("_Ed448")) {
    const signKey = ed448.utils.randomSecretKey()
    return { signKey, publicKey: ed448.getPublicKey(signKey) }
  }
  return cs.signature.keygen()
}

const EXTENSION_NAMES = Object.fromEntries(Object.entries(mls.defaultExtensionTypes).map(([name, number]) => [number, name]))
const extensionsIn = (list = []) =>
  list.map(([type, data]) => ({ extensionType: EXTENSION_NAMES[type] ?? type, extensionData: data }))

function decoded(bytes, wireformat) {
  const [message, length] = mls.decodeMlsMessage(bytes, 0) ?? []
  if (message === undefined || length !== bytes.length) throw new TypeError("not an MLSMessage")
  if (wireformat !== undefined && message.wireformat !== wireformat)
    throw new TypeError(`expected ${wireformat}, got ${message.wireformat}`)
  return message
}

const treeIn = (bytes) => (bytes === undefined ? undefined : decodeRatchetTree(bytes, 0)[0])
const welcomeOut = (welcome) =>
  welcome && mls.encodeMlsMessage({ version: "mls10", wireformat: "mls_welcome", welcome })

function pskIndex(m, state = m.state) {
  return mls.makePskIndex(state, m.psks)
}

function info({ state }) {
  const { groupContext, keySchedule, ratchetTree, privatePath, groupActiveState } = state
  return {
    group_id: groupContext.groupId,
    epoch: groupContext.epoch,
    authenticator: keySchedule.epochAuthenticator,
    tree_hash: groupContext.treeHash,
    extensions: groupContext.extensions.map((e) => [extensionTypeToNumber(e.extensionType), e.extensionData]),
    leaf: privatePath.leafIndex,
    state: groupActiveState.kind,
    members: ratchetTree.flatMap((node, index) =>
      node?.nodeType === "leaf" ? [[index / 2, node.leaf.credential.identity]] : []),
  }
}

// An Update proposal for the member's own leaf: ts-mls has no public call that makes one.
async function updateProposal(m) {
  const { cs, state } = m
  const keys = await cs.hpke.generateKeyPair()
  const leafIndex = state.privatePath.leafIndex
  const old = state.ratchetTree[2 * leafIndex].leaf
  const tbs = {
    hpkePublicKey: await cs.hpke.exportPublicKey(keys.publicKey),
    signaturePublicKey: old.signaturePublicKey,
    credential: old.credential,
    capabilities: old.capabilities,
    leafNodeSource: "update",
    extensions: old.extensions,
    groupId: state.groupContext.groupId,
    leafIndex,
  }
  const signature = await signWithLabel(
    state.signaturePrivateKey, "LeafNodeTBS", encode(leafNodeTBSEncoder)(tbs), cs.signature)
  m.update = { publicKey: tbs.hpkePublicKey, privateKey: await cs.hpke.exportPrivateKey(keys.privateKey) }
  return { proposalType: "update", update: { leafNode: { ...tbs, signature } } }
}

async function proposalIn(m, given) {
  switch (given.type) {
    case "add":
      return { proposalType: "add", add: { keyPackage: decoded(given.key_package, "mls_key_package").keyPackage } }
    case "remove":
      return { proposalType: "remove", remove: { removed: given.leaf } }
    case "update":
      return updateProposal(m)
    case "psk":
    case "resumption_psk": {
      const pskNonce = m.cs.rng.randomBytes(m.cs.kdf.size)
      const preSharedKeyId =
        given.type === "psk"
          ? { psktype: "external", pskId: given.psk_id, pskNonce }
          : { psktype: "resumption", usage: "application", pskGroupId: given.group_id,
              pskEpoch: BigInt(given.epoch), pskNonce }
      return { proposalType: "psk", psk: { preSharedKeyId } }
    }
    case "extensions":
      return { proposalType: "group_context_extensions",
               groupContextExtensions: { extensions: extensionsIn(given.extensions) } }
    default:
      throw new TypeError(`unknown proposal type ${given.type}`)
  }
}

// A commit by someone else may apply the Update that this member proposed: its path is then encrypted to the new
// leaf key, which ts-mls does not know about. Both keys are tried, the new one first.
async function processed(m, process) {
  if (m.update === undefined) return process(m.state)
  const { privatePath } = m.state
  const node = 2 * privatePath.leafIndex
  const withNewKey = { ...m.state, privatePath: {
    ...privatePath, privateKeys: { ...privatePath.privateKeys, [node]: m.update.privateKey } } }
  let result
  try {
    result = await process(withNewKey)
  } catch {
    result = await process(m.state)
  }
  const applied = result.newState.ratchetTree[node]?.leaf.hpkePublicKey
  const isNew = applied !== undefined && Buffer.from(applied).equals(Buffer.from(m.update.publicKey))
  if (!isNew) {
    result.newState = { ...result.newState, privatePath: { ...result.newState.privatePath, privateKeys: {
      ...result.newState.privatePath.privateKeys, [node]: privatePath.privateKeys[node] } } }
  }
  if (result.newState.groupContext.epoch !== m.state.groupContext.epoch) m.update = undefined
  return result
}

function settled(m, result) {
  m.state = result.newState
  m.update = undefined
  return {
    message: mls.encodeMlsMessage(result.commit),
    welcome: welcomeOut(result.welcome) ?? null,
    ...info(m),
  }
}

// ts-mls 1.6.4 takes the content of external_pub for the bare key; RFC 9420, 12.4.3.2 has it as a vector of bytes.
// GroupInfos are therefore made here in the right form, and read with a suite that unwraps that one key.
function readingExternalPub(cs, groupInfo) {
  const wrapped = groupInfo.extensions.find((e) => e.extensionType === "external_pub")?.extensionData
  const unwrap = (key) => (key === wrapped ? decodeVarLenData(key, 0)[0] : key)
  return { ...cs, hpke: { ...cs.hpke, importPublicKey: (key) => cs.hpke.importPublicKey(unwrap(key)) } }
}

async function keysFor(number, identity, leafExtensions, signKey, supports = []) {
  const cs = await suite(number)
  const signer = signKey === undefined
    ? await signatureKeys(cs) : { signKey, publicKey: p256.getPublicKey(signKey, false) }
  const capabilities = mls.defaultCapabilities()
  capabilities.extensions = [...capabilities.extensions, ...supports]
  const now = BigInt(Math.floor(Date.now() / 1000))
  const keys = await mls.generateKeyPackageWithKey(
    { credentialType: "basic", identity }, capabilities,
    { notBefore: now - DAY / 24n, notAfter: now + 28n * DAY }, extensionsIn(leafExtensions), signer, cs)
  return { cs, keys }
}

await serve({
  async key_package({ member: name, suite: number, identity, extensions, sign_key, supports }) {
    const { cs, keys } = await keysFor(number, identity, extensions, sign_key, supports)
    members.set(name, { suite: number, cs, keys, state: undefined, psks: {}, update: undefined })
    return { message: mls.encodeMlsMessage(
      { version: "mls10", wireformat: "mls_key_package", keyPackage: keys.publicPackage }) }
  },

  async create({ member: name, group_id, extensions }) {
    const m = member(name)
    m.state = await mls.createGroup(
      group_id, m.keys.publicPackage, m.keys.privatePackage, extensionsIn(extensions), m.cs)
    return info(m)
  },

  async join({ member: name, welcome, tree, resumes }) {
    const m = member(name)
    const old = resumes === undefined ? undefined : member(resumes).state
    m.state = await mls.joinGroup(decoded(welcome, "mls_welcome").welcome, m.keys.publicPackage,
      m.keys.privatePackage, pskIndex(m, old), m.cs, treeIn(tree), old)
    return info(m)
  },

  async join_external({ member: name, group_info, tree, resync = false }) {
    const m = member(name)
    const { groupInfo } = decoded(group_info, "mls_group_info")
    const { publicMessage, newState } = await mls.joinGroupExternal(
      groupInfo, m.keys.publicPackage, m.keys.privatePackage, resync, readingExternalPub(m.cs, groupInfo), treeIn(tree))
    m.state = newState
    return { message: mls.encodeMlsMessage({ version: "mls10", wireformat: "mls_public_message", publicMessage }),
             ...info(m) }
  },

  async group_info({ member: name, tree }) {
    const m = member(name)
    const { state, cs } = m
    const { publicKey } = await cs.hpke.deriveKeyPair(state.keySchedule.externalSecret)
    const externalPub = encode(varLenDataEncoder)(await cs.hpke.exportPublicKey(publicKey))
    const extensions = [{ extensionType: "external_pub", extensionData: externalPub }]
    if (tree) extensions.push({ extensionType: "ratchet_tree", extensionData: encodeRatchetTree(state.ratchetTree) })
    const groupInfo = await createGroupInfo(state.groupContext, state.confirmationTag, state, extensions, cs)
    return { message: mls.encodeMlsMessage({ version: "mls10", wireformat: "mls_group_info", groupInfo }) }
  },

  async tree({ member: name }) {
    return { tree: encodeRatchetTree(member(name).state.ratchetTree) }
  },

  async psk({ member: name, psk_id, secret }) {
    member(name).psks[mls.bytesToBase64(psk_id)] = secret
  },

  async propose({ member: name, proposal, public: wireAsPublic }) {
    const m = member(name)
    const { newState, message } = await mls.createProposal(m.state, wireAsPublic, await proposalIn(m, proposal), m.cs)
    m.state = newState
    return { message: mls.encodeMlsMessage(message) }
  },

  async commit({ member: name, proposals, public: wireAsPublicMessage, tree }) {
    const m = member(name)
    const extraProposals = []
    for (const proposal of proposals) extraProposals.push(await proposalIn(m, proposal))
    return settled(m, await mls.createCommit({ state: m.state, cipherSuite: m.cs, pskIndex: pskIndex(m) },
      { wireAsPublicMessage, extraProposals, ratchetTreeExtension: tree }))
  },

  async process({ member: name, message: bytes }) {
    const m = member(name)
    const message = decoded(bytes)
    const result = await processed(m, (state) => {
      switch (message.wireformat) {
        case "mls_private_message":
          return mls.processPrivateMessage(state, message.privateMessage, pskIndex(m), m.cs)
        case "mls_public_message":
          return mls.processPublicMessage(state, message.publicMessage, pskIndex(m), m.cs)
        default:
          throw new TypeError(`a group member cannot process ${message.wireformat}`)
      }
    })
    m.state = result.newState
    return result.kind === "applicationMessage" ? { data: result.message } : info(m)
  },

  async send({ member: name, data }) {
    const m = member(name)
    const { newState, privateMessage } = await mls.createApplicationMessage(m.state, data, m.cs)
    m.state = newState
    return { message: mls.encodeMlsMessage({ version: "mls10", wireformat: "mls_private_message", privateMessage }) }
  },

  async export({ member: name, label, context, length }) {
    const m = member(name)
    return { secret: await mls.mlsExporter(m.state.keySchedule.exporterSecret, label, context, length, m.cs) }
  },

  async info({ member: name }) {
    return info(member(name))
  },

  async reinit({ member: name, group_id, suite: number, extensions }) {
    const m = member(name)
    const { name: suiteName } = await suite(number)
    return settled(m, await mls.reinitGroup(
      m.state, group_id, "mls10", suiteName, extensionsIn(extensions), m.cs))
  },

  async reinit_create({ member: name, old, key_packages, group_id, suite: number, extensions }) {
    const m = member(name)
    return settled(m, await mls.reinitCreateNewGroup(member(old).state, m.keys.publicPackage, m.keys.privatePackage,
      key_packages.map((bytes) => decoded(bytes, "mls_key_package").keyPackage), group_id,
      (await suite(number)).name, extensionsIn(extensions)))
  },

  async branch_create({ member: name, old, key_packages, group_id }) {
    const m = member(name)
    return settled(m, await mls.branchGroup(member(old).state, m.keys.publicPackage, m.keys.privatePackage,
      key_packages.map((bytes) => decoded(bytes, "mls_key_package").keyPackage), group_id, m.cs))
  },

  async join_request({ member: name, group_info }) {
    const m = member(name)
    return { message: mls.encodeMlsMessage(await mls.proposeAddExternal(
      decoded(group_info, "mls_group_info").groupInfo, m.keys.publicPackage, m.keys.privatePackage, m.cs)) }
  },

  async copy({ member: name, as }) {
    members.set(as, { ...member(name) })
  },

  async forget({ member: name }) {
    members.delete(name)
  },
})

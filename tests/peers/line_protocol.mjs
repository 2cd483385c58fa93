// The line protocol that every driver here speaks with the Python tests (node.py).
//
// One JSON object a line on stdin, one JSON object a line on stdout, in the same order.
//   request   {"op": NAME, ...arguments}
//   response  {"ok": {...results}, "ms": milliseconds the operation took} or {"error": {"name", "message"}}
// Byte strings travel as {"b64": "..."} in both directions, at any depth; 64-bit integers as JSON numbers.
// "ms" covers the operation alone: neither JSON nor base64 is in it.

import { createInterface } from "node:readline"

function toBytes(value) {
  if (Array.isArray(value)) return value.map(toBytes)
  if (value === null || typeof value !== "object") return value
  if (typeof value.b64 === "string") return new Uint8Array(Buffer.from(value.b64, "base64"))
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, toBytes(item)]))
}

function fromBytes(value) {
  if (typeof value === "bigint") return Number(value)
  if (value instanceof Uint8Array)
    return { b64: Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString("base64") }
  if (Array.isArray(value)) return value.map(fromBytes)
  if (value === null || typeof value !== "object") return value
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, fromBytes(item)]))
}

/** Serves `operations` ({name: async (arguments) => results}) until stdin closes. */
export async function serve(operations) {
  for await (const line of createInterface({ input: process.stdin, crlfDelay: Infinity })) {
    let response
    try {
      const { op, ...rest } = JSON.parse(line)
      if (!Object.hasOwn(operations, op)) throw new TypeError(`unknown operation ${op}`)
      const given = toBytes(rest)
      const start = performance.now()
      const results = await operations[op](given)
      const ms = performance.now() - start
      response = { ok: fromBytes(results ?? {}), ms }
    } catch (error) {
      response = { error: { name: error?.constructor?.name ?? "Error", message: String(error?.message ?? error) } }
    }
    process.stdout.write(JSON.stringify(response) + "\n")
  }
}

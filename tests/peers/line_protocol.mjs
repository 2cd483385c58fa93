// The line protocol that every driver here speaks with the Python tests (node.py).
//
// One JSON object a line on stdin, one JSON object a line on stdout, in the same order.
//   request   {"op": NAME, ...arguments}
//   response  {"ok": {...results}, "wall": seconds, "cpu": seconds} or {"error": {"name", "message"}}
// Byte strings travel as {"b64": "..."} in both directions, at any depth; 64-bit integers as JSON numbers.
// "wall" and "cpu" (of all threads) cover the operation alone: neither JSON nor base64 is in them.

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
      const cpuBefore = process.cpuUsage()
      const results = await operations[op](given)
      const { user, system } = process.cpuUsage(cpuBefore)
      const wall = (performance.now() - start) / 1e3
      response = { ok: fromBytes(results ?? {}), wall, cpu: (user + system) / 1e6 }
    } catch (error) {
      response = { error: { name: error?.constructor?.name ?? "Error", message: String(error?.message ?? error) } }
    }
    process.stdout.write(JSON.stringify(response) + "\n")
  }
}

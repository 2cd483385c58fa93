// A brand with friends.
import type { Client } from "openapi-fetch";
import type { paths } from "./document.ts";

type Person = { client: Client<paths>; username: string };

/** Makes two people friends. */
export async function connect(one: Person, other: Person): Promise<void> {
  const asked = await one.client.POST("/v1/friends/requests", { body: { username: other.username } });
  if (asked.data?.state !== "pending") throw new Error(`the request got ${asked.response.status}`);
  const path = { request_id: asked.data.id };
  const accepted = await other.client.POST("/v1/friends/requests/{request_id}/accept", { params: { path } });
  if (accepted.data?.person.username !== one.username) throw new Error(`the answer got ${accepted.response.status}`);
}

// A brand with follows.
import type { Client } from "openapi-fetch";
import type { paths } from "./document.ts";

type Person = { client: Client<paths>; username: string };

/** Makes one person a follower of another. */
export async function connect(one: Person, other: Person): Promise<void> {
  const path = { username: other.username };
  const followed = await one.client.PUT("/v1/follows/{username}", { params: { path } });
  if (followed.data?.following !== true) throw new Error(`the follow got ${followed.response.status}`);
}

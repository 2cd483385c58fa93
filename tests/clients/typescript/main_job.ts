// The main job through a client that openapi-typescript and openapi-fetch make of a brand's document.
//
//     node main_job.ts ADDRESS_OF_THE_BRAND
//
// Writes the address of each mail that it waits for, and reads the code in it from its input.
import { randomUUID } from "node:crypto";
import { createInterface } from "node:readline";
import createClient, { type Client } from "openapi-fetch";
import { connect } from "./connect.ts";
import type { components, paths } from "./document.ts";

type Tokens = components["schemas"]["Tokens"];

const baseUrl = process.argv[2];
if (baseUrl === undefined) throw new Error("usage: main_job.ts ADDRESS");
const password = "correct horse battery staple";
const anonymous = createClient<paths>({ baseUrl });
const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();

/** The body of a response, which must not be an error. */
function body<T>(result: { data?: T; error?: unknown; response: Response }): T {
  if (result.data === undefined) {
    throw new Error(`${result.response.url}: ${result.response.status} ${JSON.stringify(result.error)}`);
  }
  return result.data;
}

function check(holds: boolean, what: string): void {
  if (!holds) throw new Error(what);
}

async function mailedCode(email: string): Promise<string> {
  console.log(email);
  const line = await lines.next();
  if (line.done) throw new Error("the input ended");
  return line.value;
}

async function signUp(username: string): Promise<Tokens> {
  const email = `${username}@example.org`;
  const { sign_up_id } = body(
    await anonymous.POST("/v1/auth/sign-up", { body: { email, username, name: "A Person", password } }),
  );
  const code = await mailedCode(email);
  return body(await anonymous.POST("/v1/auth/confirm", { body: { sign_up_id, code } }));
}

async function logIn(login: string): Promise<Client<paths>> {
  const tokens = body(await anonymous.POST("/v1/auth/log-in", { body: { login, password } }));
  return createClient<paths>({ baseUrl: baseUrl as string, headers: { Authorization: `Bearer ${tokens.access_token}` } });
}

const surname = `x${randomUUID().slice(0, 8)}`; // a hashtag of digits alone is none
const [grace, linus] = [`grace_${surname}`, `linus_${surname}`];
const { account_id } = await signUp(grace);
await signUp(linus);
const [reader, author] = [await logIn(grace), await logIn(linus)];
check(body(await reader.GET("/v1/profiles/me")).id === account_id, "the session is another account's");

await connect({ client: reader, username: grace }, { client: author, username: linus });
const key = { "Idempotency-Key": randomUUID() };
const draft = { text: `Hello @${grace}, from #${surname}`, audience: "connections" } as const;
const post = body(await author.POST("/v1/posts", { body: draft, params: { header: key } }));
const again = await author.POST("/v1/posts", { body: draft, params: { header: key } });
check(body(again).id === post.id, "the same key published twice");
const kinds = post.entities.map((entity) => (entity.kind === "mention" ? entity.username : entity.tag));
check(kinds.join() === `${grace},${surname}`, `entities: ${kinds}`);

const feed = body(await reader.GET("/v1/feed", { params: { query: { limit: 10 } } }));
check(feed.next_cursor === null, "two pages of one post");
check(feed.items.map((item) => item.text).join() === draft.text, `feed: ${JSON.stringify(feed.items)}`);

const hidden = await anonymous.GET("/v1/posts/{post_id}", { params: { path: { post_id: post.id } } });
const expected: NonNullable<typeof hidden.error>["code"] = "no_such_post";
check(hidden.error?.code === expected, `a stranger got ${hidden.response.status}`);
const refused = await author.POST("/v1/posts", { body: { text: "" } });
check(refused.error?.errors?.[0]?.field === "text", `an empty post got ${refused.response.status}`);
process.exit();

import { DiffuSpecError } from "@diffuspec/contracts";
import { altered, missing, optionError } from "./errors.ts";
import { type Fetch, type How, receive, statusError } from "./fetch-file.ts";
import type { HubFiles } from "./registry-types.ts";

/** The one host that is known by name. */
export const DEFAULT_HUB = "https://huggingface.co";

const MAX_REDIRECTS = 8;

/** A hub, and who asks. */
export interface Hub {
  /** Without a slash at its end. */
  readonly url: string;
  /** Sent to that host alone, and over https (or to this machine) only. */
  readonly token?: string;
}

/**
 * The hub of an option, else of HF_ENDPOINT, else {@link DEFAULT_HUB}; the token of HF_TOKEN.
 *
 * @throws ERR_OPTION where the address is no http or https URL
 */
export function hubOf(url?: string, env: Readonly<Record<string, string | undefined>> = process.env): Hub {
  const wanted = url ?? (env.HF_ENDPOINT || DEFAULT_HUB);
  const parsed = URL.canParse(wanted) ? new URL(wanted) : undefined;
  if (parsed === undefined || !/^https?:$/.test(parsed.protocol) || parsed.username !== "" || parsed.search !== "")
    throw optionError(
      url === undefined ? "HF_ENDPOINT" : "hub",
      `${JSON.stringify(wanted)} is not a plain http or https URL`,
      wanted,
    );
  return { url: parsed.href.replace(/\/+$/, ""), ...(env.HF_TOKEN && { token: env.HF_TOKEN }) };
}

/** HUB/org/name/resolve/REVISION/path */
export function resolveUrl(hub: Hub, { repository, revision = "main" }: HubFiles, path: string): URL {
  const parts = [...repository.split("/"), "resolve", revision, ...path.split("/")];
  return new URL(`${hub.url}/${parts.map(encodeURIComponent).join("/")}`);
}

/**
 * A fetch that follows redirects itself, so that the token goes to the hub's origin and to no other. Never from https
 * down to http. With `stopAtHost` the redirect that leaves the hub is the answer: its headers tell of the file.
 */
export function hubFetch(hub: Hub, fetch: Fetch, { stopAtHost = false } = {}): Fetch {
  const home = new URL(hub.url);
  const mayTell = home.protocol === "https:" || /^(localhost|127\.0\.0\.1|\[::1\])$/.test(home.hostname);
  return async (url, init) => {
    let at = new URL(url);
    for (let hops = 0; hops <= MAX_REDIRECTS; hops++) {
      const known = hub.token !== undefined && mayTell && at.origin === home.origin;
      const headers = { ...init.headers, ...(known && { authorization: `Bearer ${hub.token}` }) };
      const response = await fetch(at.href, { ...init, headers, redirect: "manual" });
      const location = response.status >= 300 && response.status < 400 ? response.headers.get("location") : null;
      const next = location !== null && URL.canParse(location, at.href) ? new URL(location, at.href) : undefined;
      if (next === undefined || (stopAtHost && next.origin !== home.origin)) return response;
      await response.body?.cancel();
      if (!/^https?:$/.test(next.protocol) || (at.protocol === "https:" && next.protocol === "http:"))
        throw refused(at, `it leads to ${next.protocol}//${next.host}, which is not https`);
      at = next;
    }
    throw refused(new URL(url), `it was passed on more than ${MAX_REDIRECTS} times`);
  };
}

/** What a hub says of a file before it is fetched. */
export interface HubFacts {
  readonly bytes: number | undefined;
  /** Of a large file, from X-Linked-Etag. */
  readonly sha256: string | undefined;
  /** Of a small one, from ETag: git's hash of it. */
  readonly gitSha1: string | undefined;
}

/** Asks for a file's size and hash. @throws ERR_MODEL_FILE_MISSING (not found, no access, unreachable), ERR_ABORTED */
export async function askHub(url: URL, file: string, hub: Hub, how: How): Promise<HubFacts> {
  let facts: HubFacts | undefined;
  const asking = { ...how, fetch: hubFetch(hub, how.fetch, { stopAtHost: true }) };
  await receive(url, file, { method: "HEAD" }, asking, async (response) => {
    const { status, headers } = response;
    if (status < 200 || status >= 400) throw statusError(url, file, response, how);
    const size = headers.get("x-linked-size") ?? (status === 200 ? headers.get("content-length") : null);
    const tag = (headers.get("x-linked-etag") ?? headers.get("etag") ?? "").replace(/^W\//, "").replaceAll('"', "");
    facts = {
      bytes: size !== null && /^\d{1,15}$/.test(size) ? Number(size) : undefined,
      sha256: /^[0-9a-f]{64}$/.test(tag) ? tag : undefined,
      gitSha1: /^[0-9a-f]{40}$/.test(tag) ? tag : undefined,
    };
    return undefined;
  });
  if (facts === undefined) throw missing(file, `${url.host} said nothing of it`, { url: url.href });
  return facts;
}

/** Holds a registry's word against the hub's, before a gigabyte is fetched for nothing. @throws ERR_MODEL_FILE_ALTERED */
export function compareFacts(
  file: string,
  said: { readonly bytes?: number; readonly sha256?: string },
  { bytes, sha256 }: HubFacts,
): void {
  const next = "The hub holds another version than the registry: pin a revision there, or correct the entry.";
  if (said.bytes !== undefined && bytes !== undefined && said.bytes !== bytes)
    throw altered(file, "size in bytes", said.bytes, bytes, next);
  if (said.sha256 !== undefined && sha256 !== undefined && said.sha256 !== sha256)
    throw altered(file, "SHA-256", said.sha256, sha256, next);
}

const refused = (url: URL, why: string) =>
  new DiffuSpecError({
    code: "ERR_MODEL_FILE_MISSING",
    what: `A redirect of ${url.href} was not followed`,
    why,
    next: "Check the address of the hub.",
    details: { url: url.href },
  });

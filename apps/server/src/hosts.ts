import { isIPv4, isIPv6 } from "node:net";

const HOST_HEADER = /^(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])(?::\d{1,5})?$/i;

/** True for an address only this machine can reach: 127.0.0.0/8 and ::1. */
export function isLoopbackAddress(address: string): boolean {
  return (isIPv4(address) && address.startsWith("127.")) || (isIPv6(address) && address === "::1");
}

/**
 * True for a Host header that names this machine by loopback. A page whose own name was re-pointed at 127.0.0.1 (DNS
 * rebinding) still sends its own name, and is refused by this.
 */
export const isLoopbackHost = (host: string | undefined): boolean => host !== undefined && HOST_HEADER.test(host);

/** True for the Origin of a page that was itself served from loopback. */
export function isLoopbackOrigin(origin: string): boolean {
  const scheme = /^https?:\/\//.exec(origin)?.[0];
  return scheme !== undefined && isLoopbackHost(origin.slice(scheme.length));
}

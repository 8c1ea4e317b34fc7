/** Which headers may be given for a pull: what the protocol itself says in a request is its own. */

const reserved =
  /^(?:accept.*|authorization|connection|content-.*|cookie|expect|host|if-.*|keep-alive|proxy-.*|range|te|trailer|transfer-encoding|upgrade)$/i;
const names = /^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}$/;
const values = /^[\t\x20-\x7e]{0,4096}$/;
const mostHeaders = 32;

/** Why they cannot be given; undefined: they can. */
export function faultOfHeaders(headers: Readonly<Record<string, string>>): string | undefined {
  const entries = Object.entries(headers);
  if (entries.length > mostHeaders) return `there are more than ${mostHeaders}`;
  const bad = entries.find(([name, value]) => !names.test(name) || !values.test(value));
  if (bad !== undefined) return `'${bad[0].slice(0, 100)}' is none that can be sent`;
  const [own] = entries.filter(([name]) => reserved.test(name));
  if (own === undefined) return undefined;
  return /^authorization$/i.test(own[0])
    ? "'authorization' is made of 'credentials'"
    : `'${own[0]}' belongs to the protocol`;
}

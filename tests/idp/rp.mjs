// A relying party for tests/scenario/openid_provider.py, by openid-client:
//
//   node rp.mjs ISSUER CLIENT_ID SECRET REDIRECT_URI AUTH_METHOD SCOPE
//
// Prints where the browser has to go, reads the address to which it came back,
// prints what the ID token and userinfo say. openid-client checks discovery,
// state, nonce, PKCE, signature, issuer, audience, times and at_hash.
import { createInterface } from 'node:readline/promises';
import { Issuer, generators } from 'openid-client';

const [address, id, secret, redirectUri, method, scope] = process.argv.slice(2);
const say = (what) => console.log(JSON.stringify(what));
try {
  const issuer = await Issuer.discover(address);
  const client = new issuer.Client({
    client_id: id,
    client_secret: secret,
    redirect_uris: [redirectUri],
    response_types: ['code'],
    token_endpoint_auth_method: method,
  });
  const nonce = generators.nonce();
  const state = generators.state();
  const verifier = generators.codeVerifier();
  say({
    url: client.authorizationUrl({
      scope, nonce, state,
      code_challenge: generators.codeChallenge(verifier),
      code_challenge_method: 'S256',
    }),
  });
  const lines = createInterface({ input: process.stdin });
  const [back] = await new Promise((got) => lines.once('line', (line) => got([line])));
  const params = client.callbackParams(back);
  const checks = { nonce, state, code_verifier: verifier };
  const set = await client.callback(redirectUri, params, checks);
  const userinfo = await client.userinfo(set);
  say({ token: set.access_token, scope: set.scope, claims: set.claims(), userinfo });
  process.exit(0);
} catch (e) {
  say({ error: e.error || e.name, message: e.message });
  process.exit(1);
}

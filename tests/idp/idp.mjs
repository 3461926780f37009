// An OpenID provider for tests/scenario/oidc.py:
//
//   node idp.mjs PORT REDIRECT_URI ACCOUNTS
//
// ACCOUNTS is a JSON file, read at each login: name -> claims. Its login form
// takes every name and password.
import { readFileSync } from 'node:fs';
import { Provider } from 'oidc-provider';

const [port, redirectUri, accounts] = process.argv.slice(2);
const provider = new Provider(`http://127.0.0.1:${port}`, {
  clients: [{
    client_id: 'hub',
    client_secret: 'hub/secret+with=signs&%',
    redirect_uris: [redirectUri],
    grant_types: ['authorization_code', 'refresh_token'],
    post_logout_redirect_uris: [new URL('/hub/login', redirectUri).href],
    response_types: ['code'],
    token_endpoint_auth_method: 'client_secret_basic',
  }],
  cookies: { keys: ['a key of the test'] },
  scopes: ['openid', 'groups', 'offline_access'],
  claims: {
    openid: ['sub'],
    profile: ['preferred_username'],
    email: ['email', 'email_verified'],
    groups: ['groups'],
  },
  findAccount: (ctx, id) => {
    const claims = JSON.parse(readFileSync(accounts, 'utf8'))[id];
    return claims && {
      accountId: id,
      claims: async () => ({ sub: `id-of-${id}`, preferred_username: id, ...claims }),
    };
  },
  // What a person is, is asked anew at each refresh.
  issueRefreshToken: async (ctx, client, code) => code.scopes.has('offline_access'),
  pkce: { required: () => true },
  features: { devInteractions: { enabled: true } },
});
provider.listen(Number(port), '127.0.0.1', () => console.log('ready'));

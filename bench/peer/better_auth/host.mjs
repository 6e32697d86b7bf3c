// A small host around better-auth and its OAuth provider: ES256, no consent page, no limits, no log. It
// creates its tables, one user and two clients, and writes the clients to clients.json.
import fs from 'node:fs';
import http from 'node:http';
import pg from 'pg';
import { oauthProvider } from '@better-auth/oauth-provider';
import { betterAuth } from 'better-auth';
import { getMigrations } from 'better-auth/db/migration';
import { toNodeHandler } from 'better-auth/node';
import { jwt } from 'better-auth/plugins';

const port = Number(process.env.PORT);
const origin = `http://127.0.0.1:${port}`;
const callback = 'https://rp.example/callback';
const options = {
  baseURL: origin,
  secret: 's'.repeat(40),
  trustedOrigins: [origin],
  telemetry: { enabled: false },
  rateLimit: { enabled: false },
  logger: { level: 'error' },
  database: new pg.Pool({ connectionString: process.env.DATABASE_URL, max: 10 }),
  emailAndPassword: { enabled: true },
  disabledPaths: ['/token'],
  plugins: [
    jwt({ disableSettingJwtHeader: true, jwks: { keyPairConfig: { alg: 'ES256' } } }),
    oauthProvider({
      loginPage: '/login',
      consentPage: '/consent',
      clientPrivileges: async () => true,
      scopes: ['openid', 'offline_access', 'email', 'profile', 'api'],
      resources: ['https://rs.example'],
      enforcePerClientResources: false,
      accessTokenExpiresIn: 3600,
      silenceWarnings: { oauthAuthServerConfig: true, openidConfig: true },
    }),
  ],
};
await (await getMigrations(options)).runMigrations();
const auth = betterAuth(options);
const user = { email: 'user0@example.com', password: 'correct-horse-battery' };
await auth.api.signUpEmail({ body: { ...user, name: 'User' } });
const signedIn = await auth.api.signInEmail({ body: user, asResponse: true });
const headers = new Headers({
  cookie: signedIn.headers.getSetCookie().map((line) => line.split(';')[0]).join('; '),
});
const create = (body) => auth.api.adminCreateOAuthClient({
  headers, body: { redirect_uris: [callback], token_endpoint_auth_method: 'client_secret_basic', ...body },
});
const web = await create({
  client_name: 'web', skip_consent: true, grant_types: ['authorization_code', 'refresh_token'],
  scope: 'openid offline_access email profile',
});
const machine = await create({
  client_name: 'machine', grant_types: ['client_credentials'], response_types: [],
  client_credentials_scopes: ['api'], scope: 'api',
});
fs.writeFileSync('clients.json', JSON.stringify({ user, web, machine }));
http.createServer(toNodeHandler(auth.handler)).listen(port, '127.0.0.1');

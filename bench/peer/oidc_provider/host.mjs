// A small host around oidc-provider with a Postgres adapter: rotation on, no consent page, JWT access
// tokens for the two resources. What it does per request is what its documentation recommends.
import crypto from 'node:crypto';
import http from 'node:http';
import pg from 'pg';
import { Provider } from 'oidc-provider';

const port = Number(process.env.PORT);
const pool = new pg.Pool({ connectionString: process.env.DATABASE_URL, max: 10 });
await pool.query(`
  CREATE TABLE record (kind text, id text, payload jsonb NOT NULL, grant_id text, uid text,
                       expires_at timestamptz, consumed_at timestamptz, PRIMARY KEY (kind, id));
  CREATE INDEX ON record (grant_id) WHERE grant_id IS NOT NULL;
  CREATE INDEX ON record (uid) WHERE uid IS NOT NULL;
  CREATE TABLE account (id text PRIMARY KEY, email text UNIQUE);
  INSERT INTO account VALUES ('u0', 'user0@example.com');
`);

const statement = (name, text) => (values) => pool.query({ name, text, values });
const upsert = statement('upsert', `
  INSERT INTO record (kind, id, payload, grant_id, uid, expires_at) VALUES ($1, $2, $3, $4, $5, $6)
  ON CONFLICT (kind, id) DO UPDATE SET payload = EXCLUDED.payload, grant_id = EXCLUDED.grant_id,
    uid = EXCLUDED.uid, expires_at = EXCLUDED.expires_at`);
const find = statement('find', 'SELECT payload, consumed_at, expires_at FROM record WHERE kind = $1 AND id = $2');
const findUid = statement('uid', 'SELECT payload, consumed_at, expires_at FROM record WHERE kind = $1 AND uid = $2');
const remove = statement('remove', 'DELETE FROM record WHERE kind = $1 AND id = $2');
const consume = statement('consume', 'UPDATE record SET consumed_at = now() WHERE kind = $1 AND id = $2');
const revoke = statement('revoke', 'DELETE FROM record WHERE grant_id = $1');
const account = statement('account', 'SELECT id, email FROM account WHERE id = $1');

class Adapter {
  constructor(kind) { this.kind = kind; }
  async upsert(id, payload, expiresIn) {
    const expires = expiresIn ? new Date(Date.now() + expiresIn * 1000) : null;
    const uid = this.kind === 'Session' ? payload.uid : null;
    await upsert([this.kind, id, payload, payload.grantId ?? null, uid, expires]);
  }
  static row({ rows: [row] }) {
    if (!row || (row.expires_at && row.expires_at < new Date())) return undefined;
    return row.consumed_at ? { ...row.payload, consumed: true } : row.payload;
  }
  async find(id) { return Adapter.row(await find([this.kind, id])); }
  async findByUid(uid) { return Adapter.row(await findUid([this.kind, uid])); }
  async findByUserCode() { return undefined; }
  async destroy(id) { await remove([this.kind, id]); }
  async consume(id) { await consume([this.kind, id]); }
  async revokeByGrantId(grant) { await revoke([grant]); }
}

const jwk = (kind, options, extra) =>
  ({ ...crypto.generateKeyPairSync(kind, options).privateKey.export({ format: 'jwk' }), ...extra, use: 'sig' });
const keys = [
  jwk('rsa', { modulusLength: 2048 }, { kid: 'rs', alg: 'RS256' }),
  jwk('ec', { namedCurve: 'P-256' }, { kid: 'es', alg: 'ES256' }),
];
const secret = 'secret-secret-secret-secret';
const scope = 'openid offline_access email';
const provider = new Provider(`http://127.0.0.1:${port}`, {
  adapter: Adapter,
  jwks: { keys },
  cookies: { keys: [crypto.randomBytes(32).toString('hex')] },
  clients: [
    { client_id: 'web', client_secret: secret, redirect_uris: ['https://rp.example/callback'], scope,
      grant_types: ['authorization_code', 'refresh_token'], response_types: ['code'], id_token_signed_response_alg: 'ES256' },
    { client_id: 'machine', client_secret: secret, redirect_uris: [], response_types: [], scope: 'api',
      grant_types: ['client_credentials'] },
  ],
  scopes: ['openid', 'offline_access', 'api'],
  claims: { openid: ['sub'], email: ['email', 'email_verified'] },
  features: {
    devInteractions: { enabled: false },
    clientCredentials: { enabled: true },
    introspection: { enabled: true, allowedPolicy: async () => true },
    resourceIndicators: {
      enabled: true,
      useGrantedResource: async () => true,
      getResourceServerInfo: async (ctx, resource) => ({
        scope: 'api', audience: resource, accessTokenFormat: 'jwt', accessTokenTTL: 3600,
        jwt: { sign: { alg: resource.endsWith('ES256') ? 'ES256' : 'RS256' } },
      }),
    },
  },
  rotateRefreshToken: () => true,
  issueRefreshToken: async (ctx, client) => client.grantTypeAllowed('refresh_token'),
  expiresWithSession: async () => false,
  findAccount: async (ctx, id) => {
    const { rows: [found] } = await account([id]);
    return found && { accountId: id, claims: async () => ({ sub: id, email: found.email, email_verified: true }) };
  },
  interactions: { url: (ctx, interaction) => `/interaction/${interaction.uid}` },
  loadExistingGrant: async (ctx) => {
    const id = ctx.oidc.session.grantIdFor(ctx.oidc.client.clientId);
    if (id) return ctx.oidc.provider.Grant.find(id);
    const grant = new ctx.oidc.provider.Grant({ clientId: ctx.oidc.client.clientId, accountId: ctx.oidc.session.accountId });
    grant.addOIDCScope(scope);
    await grant.save();
    return grant;
  },
});

const handle = provider.callback();
http.createServer(async (request, response) => {
  if (!request.url.endsWith('/login')) return handle(request, response);
  try {
    for await (const _ of request); // the form names the only user there is
    await provider.interactionFinished(request, response, { login: { accountId: 'u0' } }, { mergeWithLastSubmission: false });
  } catch (error) {
    response.statusCode = 500;
    response.end(String(error));
  }
}).listen(port, '127.0.0.1');

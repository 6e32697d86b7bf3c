// An OpenID provider from npm with its own development pages: any name and password sign in.
import crypto from 'node:crypto';
import { Provider } from 'oidc-provider';

const { PORT, ORIGIN, CLIENT_ID, CLIENT_SECRET, REDIRECT_URI } = process.env;
const jwk = (kind, options, extra) =>
  ({ ...crypto.generateKeyPairSync(kind, options).privateKey.export({ format: 'jwk' }), ...extra, use: 'sig' });

const provider = new Provider(ORIGIN, {
  jwks: { keys: [jwk('rsa', { modulusLength: 2048 }, { kid: 'first', alg: 'RS256' })] },
  cookies: { keys: [crypto.randomBytes(32).toString('hex')] },
  clients: [{ client_id: CLIENT_ID, client_secret: CLIENT_SECRET, redirect_uris: [REDIRECT_URI] }],
  claims: { openid: ['sub'], email: ['email', 'email_verified'], profile: ['name'] },
  findAccount: (ctx, id) => ({
    accountId: id,
    claims: () => ({ sub: id, email: `${id}@provider.example`, email_verified: true, name: `${id} Example` }),
  }),
});
provider.listen(Number(PORT), '127.0.0.1', () => console.log(`listening on ${PORT}`));

// Runs one flow of the FAPI 2.0 security profile with openid-client: PAR, private_key_jwt and DPoP.
import * as client from "openid-client";
import { answer, ask, key, report, settings } from "./steps.js";

const config = await client.discovery(
  new URL(settings.issuer),
  settings.clientId,
  { id_token_signed_response_alg: "ES256" },
  client.PrivateKeyJwt({ key: await key(), kid: "k1" }),
  { execute: [client.allowInsecureRequests] },
);
const DPoP = client.getDPoPHandle(config, await client.randomDPoPKeyPair("ES256"));
const pkceCodeVerifier = client.randomPKCECodeVerifier();
const expectedState = client.randomState();
const expectedNonce = client.randomNonce();
const url = await client.buildAuthorizationUrlWithPAR(
  config,
  {
    redirect_uri: settings.redirectUri,
    scope: "openid email offline_access",
    code_challenge: await client.calculatePKCECodeChallenge(pkceCodeVerifier),
    code_challenge_method: "S256",
    state: expectedState,
    nonce: expectedNonce,
  },
  { DPoP },
);
ask(url);
const tokens = await client.authorizationCodeGrant(
  config,
  new URL(await answer()),
  { pkceCodeVerifier, expectedState, expectedNonce },
  undefined,
  { DPoP },
);
const sub = tokens.claims().sub;
const user = await client.fetchUserInfo(config, tokens.access_token, sub, { DPoP });
const refreshed = await client.refreshTokenGrant(config, tokens.refresh_token, undefined, { DPoP });
report({ tokens, user, refreshed });

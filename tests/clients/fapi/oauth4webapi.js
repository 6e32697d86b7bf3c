// Runs one flow of the FAPI 2.0 security profile with oauth4webapi: PAR, private_key_jwt and DPoP.
import * as oauth from "oauth4webapi";
import { answer, ask, key, report, settings } from "./steps.js";

const options = { [oauth.allowInsecureRequests]: true };
const issuer = new URL(settings.issuer);
const as = await oauth.processDiscoveryResponse(
  issuer,
  await oauth.discoveryRequest(issuer, options),
);
const client = { client_id: settings.clientId, id_token_signed_response_alg: "ES256" };
const authentication = oauth.PrivateKeyJwt({ key: await key(), kid: "k1" });
const DPoP = oauth.DPoP(client, await oauth.generateKeyPair("ES256"));

// Sends a request, and once more if the server demands a nonce.
async function proven(send, read) {
  try {
    return await read(await send());
  } catch (error) {
    if (!oauth.isDPoPNonceError(error)) throw error;
    return await read(await send());
  }
}

const verifier = oauth.generateRandomCodeVerifier();
const state = oauth.generateRandomState();
const nonce = oauth.generateRandomNonce();
const parameters = new URLSearchParams({
  client_id: settings.clientId,
  redirect_uri: settings.redirectUri,
  response_type: "code",
  scope: "openid email offline_access",
  code_challenge: await oauth.calculatePKCECodeChallenge(verifier),
  code_challenge_method: "S256",
  state,
  nonce,
});
const bound = { ...options, DPoP };
const pushed = await proven(
  () => oauth.pushedAuthorizationRequest(as, client, authentication, parameters, bound),
  (response) => oauth.processPushedAuthorizationResponse(as, client, response),
);
const url = new URL(as.authorization_endpoint);
url.searchParams.set("client_id", settings.clientId);
url.searchParams.set("request_uri", pushed.request_uri);
ask(url);
const callback = oauth.validateAuthResponse(as, client, new URL(await answer()), state);
const tokens = await proven(
  () =>
    oauth.authorizationCodeGrantRequest(
      as, client, authentication, callback, settings.redirectUri, verifier, bound,
    ),
  (response) =>
    oauth.processAuthorizationCodeResponse(as, client, response, {
      expectedNonce: nonce,
      requireIdToken: true,
    }),
);
const sub = oauth.getValidatedIdTokenClaims(tokens).sub;
const user = await proven(
  () => oauth.userInfoRequest(as, client, tokens.access_token, bound),
  (response) => oauth.processUserInfoResponse(as, client, sub, response),
);
const refreshed = await proven(
  () => oauth.refreshTokenGrantRequest(as, client, authentication, tokens.refresh_token, bound),
  (response) => oauth.processRefreshTokenResponse(as, client, response),
);
report({ tokens, user, refreshed });

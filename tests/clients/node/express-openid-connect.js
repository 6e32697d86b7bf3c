// express-openid-connect. Callback: /callback
import express from "express";
import openid from "express-openid-connect";

const { ISSUER, CLIENT_ID, CLIENT_SECRET, ORIGIN, PORT } = process.env;
const app = express();
app.use(
  openid.auth({
    issuerBaseURL: ISSUER,
    baseURL: ORIGIN,
    clientID: CLIENT_ID,
    clientSecret: CLIENT_SECRET,
    secret: "a secret of this test program alone",
    authRequired: false,
    idpLogout: true,
    authorizationParams: { response_type: "code" }, // its default is the implicit flow
  }),
);
app.get("/me", (request, response) => {
  if (!request.oidc.isAuthenticated()) return response.status(401).json({});
  const { sub, email, name } = request.oidc.user;
  response.json({ sub, email, name });
});
app.get("/", (request, response) => response.send("home"));
app.listen(PORT, "127.0.0.1");

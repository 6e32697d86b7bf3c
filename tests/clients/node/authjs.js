// Auth.js (@auth/express) with a provider of type "oidc". Callback: /auth/callback/aero2
import { ExpressAuth, getSession } from "@auth/express";
import express from "express";

const { ISSUER, CLIENT_ID, CLIENT_SECRET, PORT } = process.env;
const config = {
  secret: "a secret of this test program alone",
  trustHost: true,
  providers: [
    { id: "aero2", name: "Aero2", type: "oidc", issuer: ISSUER, clientId: CLIENT_ID, clientSecret: CLIENT_SECRET },
  ],
  callbacks: {
    jwt: ({ token, profile }) => ({ ...token, ...(profile && { sub: profile.sub }) }),
    session: ({ session, token }) => ({ ...session, sub: token.sub }),
  },
};

const app = express();
app.use("/auth", ExpressAuth(config));
app.get("/me", async (request, response) => {
  const session = await getSession(request, config);
  if (!session) return response.status(401).json({});
  response.json({ sub: session.sub, email: session.user.email, name: session.user.name });
});
app.get("/", (request, response) => response.send("home"));
app.listen(PORT, "127.0.0.1");

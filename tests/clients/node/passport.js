// passport-openidconnect. Callback: /callback
import express from "express";
import session from "express-session";
import passport from "passport";
import OpenIDConnectStrategy from "passport-openidconnect";

const { ISSUER, CLIENT_ID, CLIENT_SECRET, ORIGIN, PORT, NONCE } = process.env;
passport.use(
  new OpenIDConnectStrategy(
    {
      issuer: ISSUER,
      authorizationURL: `${ISSUER}/oauth2/authorize`,
      tokenURL: `${ISSUER}/oauth2/token`,
      userInfoURL: `${ISSUER}/oauth2/userinfo`,
      clientID: CLIENT_ID,
      clientSecret: CLIENT_SECRET,
      callbackURL: `${ORIGIN}/callback`,
      scope: ["profile", "email"],
      nonce: NONCE !== "no", // the library sends none by default
    },
    (issuer, profile, done) => done(null, profile),
  ),
);
passport.serializeUser((user, done) => done(null, user));
passport.deserializeUser((user, done) => done(null, user));

const app = express();
app.use(session({ secret: "a secret of this test program", resave: false, saveUninitialized: false }));
app.use(passport.session());
app.get("/login", passport.authenticate("openidconnect"));
app.get(
  "/callback",
  passport.authenticate("openidconnect", { failureRedirect: "/failed", failureMessage: true }),
  (request, response) => response.redirect("/"),
);
app.get("/failed", (request, response) => response.status(400).json(request.session.messages ?? []));
app.get("/me", (request, response) => {
  if (!request.user) return response.status(401).json({});
  const { id, displayName, emails } = request.user;
  response.json({ sub: id, email: emails[0].value, name: displayName });
});
app.get("/", (request, response) => response.send("home"));
app.use((error, request, response, next) => response.status(400).json({ error: error.message }));
app.listen(PORT, "127.0.0.1");

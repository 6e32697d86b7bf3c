/** The settings of a client. */
export interface Options {
  /** The issuer of the application, like `https://shop.id.example.com`. */
  issuer: string;
  /** The id of a client of the type "single-page application". */
  clientId: string;
  /** Where the user comes back to: a redirect URI of the client, on this origin. Default: `/callback`. */
  redirectUri?: string;
  /** Default: `openid profile email offline_access`. Without `offline_access` there is no refresh token. */
  scope?: string;
  /** The API that the access token is for (RFC 8707). */
  resource?: string;
  /** Further origins to which `fetch` may send the access token. This page's and the issuer's always belong to them. */
  apiOrigins?: string[];
  /** Whether a user who is signed in at the issuer is signed in here without a page (`prompt=none` in a hidden
   * frame). It needs an issuer on the same site, like `id.example.com` for `shop.example.com`. Default: true. */
  silent?: boolean;
}

/** The claims of the ID token. Which of them there are depends on the scopes. */
export interface User {
  sub: string;
  sid?: string;
  name?: string;
  given_name?: string;
  family_name?: string;
  preferred_username?: string;
  picture?: string;
  email?: string;
  email_verified?: boolean;
  [claim: string]: unknown;
}

/** The session of the user who is signed in. */
export interface Session {
  user: User;
  /** The scopes that were granted, with spaces between them. */
  scope: string;
  /** When the access token ends. It is replaced before. */
  expiresAt: Date;
}

export interface SignInOptions {
  /** The path to come back to. A URL of another origin becomes `/`. Default: this page. */
  returnTo?: string;
  /** Further parameters of the request, such as `prompt`, `login_hint`, `acr_values`, `ui_locales`, `org`. */
  [parameter: string]: string | undefined;
}

/** The texts of the user button. */
export interface ButtonTexts {
  signIn?: string;
  account?: string;
  signOut?: string;
}

export interface Client {
  /** Leaves the page for the sign-in page of the issuer. */
  signIn(options?: SignInOptions): Promise<never>;
  /** Returns the session, or null if nobody is signed in. Finishes a sign-in if this page is the redirect URI. Throws
   * an Aero2Error if that sign-in failed, or if the issuer cannot be reached. */
  session(): Promise<Session | null>;
  /** Returns an access token that is good for some seconds at least, or null. */
  token(): Promise<string | null>;
  /** As `fetch` of the browser, with the access token. Tries once more after 401 with a new token. Throws an
   * Aero2Error `origin_not_allowed` for an origin that is none of `apiOrigins`. */
  fetch(input: RequestInfo | URL, init?: RequestInit): Promise<Response>;
  /** Signs out here, in the other tabs and at the issuer, which sends the user to `returnTo`, a post-logout redirect
   * URI of the client. Default: the root of this origin. */
  signOut(options?: { returnTo?: string }): Promise<never>;
  /** Calls `listener` when the user signs in or out, also in another tab. Returns a function that ends this. */
  onChange(listener: (session: Session | null) => void): () => boolean;
  /** Draws "Sign in", or the user with a menu, into an element without a shadow root. Returns a function that removes
   * it. */
  userButton(element: Element | string, texts?: ButtonTexts): () => void;
}

/** An error with a code: one of OAuth, like `access_denied`, or `network`, `state_unknown`, `issuer_mismatch`,
 * `id_token_invalid`, `insecure_context`, `origin_not_allowed`, `setting_missing`. */
export class Aero2Error extends Error {
  readonly code: string;
  constructor(code: string, description?: string | null);
}

/** Makes the client of this page. Make one, and share it. */
export function createClient(options: Options): Client;

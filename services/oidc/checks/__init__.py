"""One rule of the authorization endpoint a file. A rule raises OAuthError, or answers what the
person has to do first, or says nothing."""

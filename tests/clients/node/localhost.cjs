// Resolves *.localhost to this machine (RFC 6761 section 6.3), as browsers do.
const dns = require("node:dns");

const { lookup } = dns;
dns.lookup = (name, ...rest) =>
  lookup(String(name).endsWith(".localhost") ? "127.0.0.1" : name, ...rest);

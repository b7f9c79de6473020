// An OpenID provider for tests. Whoever signs in is who the login field says: `ada` is ada@example.org in the groups
// that `people` gives. Takes one argument, JSON: {issuer, host, port, secret, console, people, idTokenSeconds, keys} and, to
// be reached over TLS, tls: {key, cert} in PEM.
import http from 'node:http';
import https from 'node:https';
import Provider from 'oidc-provider';

const given = JSON.parse(process.argv[2]);
const account = (_, id) => ({
  accountId: id,
  claims: () => ({
    sub: id,
    email: `${id}@example.org`,
    email_verified: id !== 'mallory',
    groups: given.people[id] ?? [],
  }),
});

const provider = new Provider(given.issuer, {
  clients: [{
    client_id: 'weft',
    client_secret: given.secret,
    redirect_uris: [`${given.console}/auth/callback`],
    post_logout_redirect_uris: [`${given.console}/signed-out`],
    backchannel_logout_uri: `${given.console}/auth/backchannel-logout`,
    backchannel_logout_session_required: true,
    grant_types: ['authorization_code', 'refresh_token'],
  }],
  claims: { email: ['email', 'email_verified'], groups: ['groups'], profile: [] },
  conformIdTokenClaims: false,
  cookies: { keys: ['tests'] },
  features: {
    backchannelLogout: { enabled: true },
    revocation: { enabled: true },
    rpInitiatedLogout: { enabled: true },
  },
  findAccount: account,
  // Without a page that asks whether the console may have the scopes.
  loadExistingGrant: async (ctx) => {
    const grant = new ctx.oidc.provider.Grant({
      clientId: ctx.oidc.client.clientId,
      accountId: ctx.oidc.session.accountId,
    });
    grant.addOIDCScope('openid email profile groups offline_access');
    await grant.save();
    return grant;
  },
  issueRefreshToken: async () => given.idTokenSeconds < 3600,
  jwks: { keys: given.keys },
  pkce: { required: () => true },
  rotateRefreshToken: true,
  ttl: { IdToken: given.idTokenSeconds, AccessToken: 600, Interaction: 600, Session: 3600, Grant: 3600, RefreshToken: 3600 },
});
provider.on('server_error', (_, error) => console.error('server_error', error));
provider.on('backchannel.error', (_, error) => console.error('backchannel.error', error));
provider.on('grant.error', (_, error) => console.error('grant.error', error.message, error.error_detail));
const server = given.tls
  ? https.createServer(given.tls, provider.callback())
  : http.createServer(provider.callback());
server.listen(given.port, given.host, () => console.log('listening'));

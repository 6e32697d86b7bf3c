# omniauth-openid-connect, as Debian packages it. Callback: /auth/openid_connect/callback
require 'json'
require 'omniauth_openid_connect'
require 'rack/protection'
require 'rack/session/cookie'

# Both libraries build https addresses only, unless they are told otherwise.
SWD.url_builder = WebFinger.url_builder = URI::HTTP

use Rack::Session::Cookie, secret: 'a secret of this test program ' * 3
use OmniAuth::Builder do
  provider :openid_connect,
           issuer: ENV.fetch('ISSUER'),
           discovery: true,
           scope: %i[openid profile email],
           post_logout_redirect_uri: "#{ENV.fetch('ORIGIN')}/",
           client_options: {
             identifier: ENV.fetch('CLIENT_ID'),
             secret: ENV.fetch('CLIENT_SECRET'),
             redirect_uri: "#{ENV.fetch('ORIGIN')}/auth/openid_connect/callback"
           }
end

run(lambda do |env|
  session = env['rack.session']
  case env['PATH_INFO']
  when '/login'
    token = Rack::Protection::AuthenticityToken.token(session)
    form = "<form method='post' action='/auth/openid_connect'>" \
           "<input type='hidden' name='authenticity_token' value='#{token}'></form>"
    [200, { 'content-type' => 'text/html' }, [form]]
  when '/auth/openid_connect/callback'
    auth = env['omniauth.auth']
    session['user'] = { sub: auth.uid, email: auth.info.email, name: auth.info.name }
    [302, { 'location' => '/' }, []]
  when '/auth/failure'
    [400, { 'content-type' => 'text/plain' }, [env['QUERY_STRING']]]
  when '/me'
    user = session['user']
    [user ? 200 : 401, { 'content-type' => 'application/json' }, [JSON.generate(user || {})]]
  when '/leave'
    session.delete('user')
    [302, { 'location' => '/auth/openid_connect/logout' }, []]
  else
    [200, { 'content-type' => 'text/plain' }, ['home']]
  end
end)

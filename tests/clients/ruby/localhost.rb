# Resolves *.localhost to this machine (RFC 6761 section 6.3), as browsers do.
require 'socket'

TCPSocket.singleton_class.prepend(Module.new do
  def new(host, *rest, **more)
    super(host.to_s.end_with?('.localhost') ? '127.0.0.1' : host, *rest, **more)
  end

  def open(host, *rest, **more)
    super(host.to_s.end_with?('.localhost') ? '127.0.0.1' : host, *rest, **more)
  end
end)

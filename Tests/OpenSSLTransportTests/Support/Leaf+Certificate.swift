import OpenSSLTransport
import TestSupport

extension Authority.Leaf {
    var certificate: TLSCertificate { TLSCertificate(chainFile: chain, privateKeyFile: key) }
}

import OneNETModel
import Settings
import Testing
import Units

@testable import Uplink

@Suite struct OneNETTokenTests {
    static let key = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="

    private func credentials(_ method: OneNETCredentials.Method) -> OneNETCredentials {
        OneNETCredentials(
            product: "123456", device: "bin-01", key: Secret(Self.key.utf8), method: method, lifetime: .seconds(3600))
    }

    @Test(
        arguments: [
            (.md5, "MbEX6aiMR4Qf7sLlJRAPxg%3D%3D"), (.sha1, "f1oXkPKM2bIcBEAWV%2BbyDUMaO4A%3D"),
            (.sha256, "RfF391oQWQg0Oeb9HUobaO5pEDdqUJLR7V4WhnsQ4gQ%3D"),
        ] as [(OneNETCredentials.Method, String)])
    func theVectorsOfEachMethod(method: OneNETCredentials.Method, signature: String) throws {
        #expect(
            try credentials(method).token(expiring: 1_893_456_000)
                == "version=2018-10-31&res=products%2F123456%2Fdevices%2Fbin-01&et=1893456000"
                + "&method=\(method.rawValue)&sign=\(signature)")
    }

    @Test(arguments: OneNETCredentials.Method.allCases)
    func anIndependentCheckTakesIt(method: OneNETCredentials.Method) throws {
        let token = try credentials(method).token(at: Timestamp(milliseconds: 1_800_000_000_999))
        func objection(_ token: String, now: Int64 = 1_800_000_000, device: String = "bin-01") -> String? {
            TokenCheck.objection(to: token, product: "123456", device: device, key: Self.key, now: now)
        }
        #expect(objection(token) == nil)
        #expect(objection(token, now: 1_800_003_599) == nil)
        #expect(objection(token, now: 1_800_003_600) == "expired")
        #expect(objection(token, device: "bin-02") != nil)
        #expect(
            objection(token.replacing(each: "et=1800003600", with: "et=1800003601")) == "the signature does not match")
    }

    @Test func fromAClockThatWasNeverSetNoTokenIsSigned() {
        let now = Timestamp(milliseconds: 61_000)
        #expect(throws: OneNETTokenError.clockNotSet(now)) { try credentials(.sha1).token(at: now) }
    }

    @Test func aKeyThatIsNotBase64IsNoKey() {
        var credentials = credentials(.md5)
        credentials.key = Secret("not base64".utf8)
        #expect(throws: OneNETTokenError.keyNotBase64) { try credentials.token(expiring: 1_893_456_000) }
    }

    @Test(
        arguments: [
            ("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg=="), ("foobar", "Zm9vYmFy"),
        ])
    func base64AsRFC4648HasIt(text: String, coded: String) {
        #expect(OneNETText.base64(Array(text.utf8)) == coded)
        #expect(OneNETText.bytes(base64: Array(coded.utf8)) == Array(text.utf8))
    }

    @Test(arguments: ["Z", "Zg=", "Zg", "Z===", "Zm9v!===", "Zm9\u{FC}"])
    func whatIsNoBase64(text: String) { #expect(OneNETText.bytes(base64: Array(text.utf8)) == nil) }

    @Test func whatURLsCannotHoldIsEncoded() {
        #expect(OneNETText.percentEncoded("a+ /?%#&=~") == "a%2B%20%2F%3F%25%23%26%3D~")
        #expect(OneNETText.percentEncoded("\n") == "%0A")
    }
}

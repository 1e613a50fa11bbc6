import Testing

@testable import MQTT

@Suite struct FailureCountTests {
    @Test func aLongOutageIsToldLessAndLess() {
        let (here, there) = (Endpoint(host: "here"), Endpoint(host: "there"))
        var failures = FailureCount()
        let told = (1...1000).filter { _ in failures.count("refused", at: here).isNews }
        #expect(told == [1, 2, 3, 4, 8, 16, 32, 64, 128, 256, 512])
        #expect(failures.count("refused", at: there) == (1, true), "another endpoint")
        #expect(failures.count("no route", at: here) == (1, true), "another reason")
        #expect(failures.count("refused", at: here) == (1, true))
        failures.reset()
        #expect(failures.count("refused", at: there) == (1, true), "a connection was there meanwhile")
    }

    @Test func endpointsThatNeverEndDoNotFillTheMemory() {
        var failures = FailureCount()
        for port in 1...1000 { #expect(failures.count("refused", at: Endpoint(host: "h", port: port)).isNews) }
    }
}

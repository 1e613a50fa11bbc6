import Glibc
import Logging
import Testing

@testable import FieldpostAgent

@Suite struct ServiceEnvironmentTests {
    @Test func withoutASocketThereIsNobodyToTell() {
        #expect(ServiceEnvironment([:], processIdentifier: 7) == nil)
        #expect(ServiceEnvironment(["NOTIFY_SOCKET": "", "WATCHDOG_USEC": "1"], processIdentifier: 7) == nil)
    }

    @Test(arguments: [
        (["WATCHDOG_USEC": "120000000"], Duration.seconds(120)),
        (["WATCHDOG_USEC": "120000000", "WATCHDOG_PID": "7"], .seconds(120)),
        (["WATCHDOG_USEC": "120000000", "WATCHDOG_PID": "8"], nil),
        (["WATCHDOG_USEC": "120000000", "WATCHDOG_PID": "x"], nil),
        (["WATCHDOG_USEC": "0"], nil), (["WATCHDOG_USEC": "-1"], nil), (["WATCHDOG_USEC": "2min"], nil), ([:], nil),
    ]) func theWatchdogIsForTheProcessThatItNames(variables: [String: String], watchdog: Duration?) {
        let environment = ServiceEnvironment(
            variables.merging(["NOTIFY_SOCKET": "/run/systemd/notify"]) { $1 }, processIdentifier: 7)
        #expect(environment?.notifySocket == "/run/systemd/notify")
        #expect(environment?.watchdog == watchdog)
    }

    @Test func aStreamIsTheJournalsIfDeviceAndInodeAreTheStreams() throws {
        var ends: [CInt] = [0, 0]
        try #require(pipe(&ends) == 0)
        defer { for end in ends { close(end) } }
        var status = stat()
        try #require(fstat(ends[1], &status) == 0)
        #expect(JournalStream(parsing: "\(status.st_dev):\(status.st_ino)")?.isOpen(as: ends[1]) == true)
        #expect(JournalStream(parsing: "\(status.st_dev):\(status.st_ino + 1)")?.isOpen(as: ends[1]) == false)
        #expect(JournalStream(parsing: "\(status.st_dev):\(status.st_ino)")?.isOpen(as: -1) == false)
        for text in ["", ":", "9", "9:", "9:x", "9:1:2", "-9:1"] { #expect(JournalStream(parsing: text) == nil) }
    }

    @Test(arguments: [
        (Logger.Level.trace, "<7>"), (.debug, "<7>"), (.info, "<6>"), (.notice, "<5>"), (.warning, "<4>"),
        (.error, "<3>"), (.critical, "<2>"),
    ]) func everyLineCarriesItsPriority(level: Logger.Level, prefix: String) {
        #expect(JournalStream.lines("a", level) == "\(prefix)a")
        #expect(JournalStream.lines("a\n<0>b\r\n\nc", level) == "\(prefix)a\n\(prefix)<0>b\n\(prefix)\n\(prefix)c")
    }
}

import Testing

@testable import FieldpostAgent

@Suite struct AnnouncementsTests {
    /// All that goes out at a time.
    private func sent(_ announcements: inout Announcements, at now: Duration) -> [String] {
        var sent: [String] = []
        while let datagram = announcements.next(at: now) {
            sent.append(datagram)
            announcements.sent(at: now)
        }
        return sent
    }

    @Test func changesAreWordedAsTheServiceManagerWantsThem() {
        #expect(Announcements.Change.ready.assignments == "READY=1")
        #expect(Announcements.Change.watchdog.assignments == "WATCHDOG=1")
        #expect(
            Announcements.Change.reloading(microseconds: 35_118_857_214).assignments
                == "RELOADING=1\nMONOTONIC_USEC=35118857214")
        #expect(
            Announcements.Change.stopping(within: .milliseconds(4500)).assignments
                == "STOPPING=1\nEXTEND_TIMEOUT_USEC=4500000")
    }

    @Test func changesGoOutAtOnceInTheirOrderWithTheStatusOfTheirTime() {
        var announcements = Announcements()
        announcements.set(status: "reloading")
        announcements.add(.reloading(microseconds: 1), at: .zero)
        announcements.set(status: "connected")
        announcements.add(.ready, at: .zero)
        #expect(
            sent(&announcements, at: .zero) == [
                "RELOADING=1\nMONOTONIC_USEC=1\nSTATUS=reloading", "READY=1\nSTATUS=connected",
            ])
        #expect(announcements.due == nil)
    }

    @Test func theStatusGoesOutAsItIsAtMostOnceASecond() {
        var announcements = Announcements()
        announcements.set(status: "1 queued")
        #expect(sent(&announcements, at: .seconds(10)) == ["STATUS=1 queued"])
        announcements.set(status: "2 queued")
        #expect(sent(&announcements, at: .milliseconds(10_500)) == [])
        announcements.set(status: "3 queued")
        #expect(announcements.due == .seconds(11))
        #expect(sent(&announcements, at: .seconds(11)) == ["STATUS=3 queued"])
        // Back to what was told last: nothing to tell.
        announcements.set(status: "4 queued")
        announcements.set(status: "3 queued")
        #expect(announcements.due == nil)
        #expect(sent(&announcements, at: .seconds(20)) == [])
    }

    @Test func whatAFullSocketDoesNotTakeGoesOutLaterAndOnce() {
        var announcements = Announcements()
        announcements.add(.ready, at: .zero)
        #expect(announcements.next(at: .zero) == "READY=1\nSTATUS=")
        announcements.full(at: .zero)
        #expect(announcements.next(at: .milliseconds(99)) == nil)
        #expect(announcements.due == .milliseconds(100))
        #expect(sent(&announcements, at: .milliseconds(100)) == ["READY=1\nSTATUS="])
        #expect(sent(&announcements, at: .seconds(100)) == [])
    }

    @Test func signsOfLifeDoNotGatherAndAllThatWaitsIsBounded() {
        var announcements = Announcements()
        for _ in 0..<1000 { announcements.add(.watchdog, at: .zero) }
        #expect(sent(&announcements, at: .zero) == ["WATCHDOG=1"])
        for time in 0..<1000 { announcements.add(.reloading(microseconds: Int64(time)), at: .zero) }
        #expect(sent(&announcements, at: .zero).count == Announcements.limit)
    }

    @Test func S3_whateverAStatusHoldsItIsOneLineOfBoundedLength() {
        var announcements = Announcements()
        announcements.set(status: "refused\nREADY=1\u{1B}[2J" + String(repeating: "x", count: 1000))
        let datagram = announcements.next(at: .zero)
        #expect(datagram?.hasPrefix("STATUS=refused READY=1 [2Jxxx") == true)
        #expect(datagram?.contains("\n") == false)
        #expect(datagram?.count == 307)
    }
}

import Arguments
import Testing

@Suite struct ReadingTests {
    @Test func `Without arguments everything is as declared`() throws {
        let list = try #require(command(List.self, "list"))
        #expect(list.limit == 10)
        #expect(list.colour == nil)
        #expect(list.paint == .green)
        #expect(list.ratio == nil)
        #expect(list.tags == [])
        #expect(list.verbose == 0)
        #expect(!list.json)
        #expect(list.sort)
        #expect(list.paged == nil)
        #expect(!list.cache)
        #expect(list.place == nil)
        #expect(list.others == [])
    }

    @Test(arguments: [
        ["--limit", "5"], ["--limit=5"], ["-l", "5"], ["-l5"], ["-l=5"], ["-vl5"], ["-jvl", "5"],
        ["-l", "4", "-l", "5"],
    ])
    func `A value stands behind its option or is joined to it`(arguments: [String]) throws {
        guard case .command(let command) = Example.invocation(of: ["list"] + arguments) else {
            Issue.record("not understood")
            return
        }
        #expect((command as? List)?.limit == 5)
    }

    @Test func `Values have types`() throws {
        let list = try #require(
            command(
                List.self, "list", "--colour", "red", "--paint=blue", "-r0.5", "--port", "65535", "--half", "8", "-ta",
                "-t", "b", "--tag=c"))
        #expect(list.colour == .red)
        #expect(list.paint == .blue)
        #expect(list.ratio == 0.5)
        #expect(list.port == 65_535)
        #expect(list.half == 4)
        #expect(list.tags == ["a", "b", "c"])
    }

    @Test func `A value may be empty, hold an equals sign, or be a dash or a negative number`() throws {
        let list = try #require(
            command(
                List.self, "list", "--tag=", "--tag", "a=b", "-t", "-", "-r", "-1.5", "--limit", "-3", "-t=", "--", "x")
        )
        #expect(list.tags == ["", "a=b", "-", ""])
        #expect(list.ratio == -1.5)
        #expect(list.limit == -3)
        #expect(list.place == "x")
    }

    @Test func `Flags count, join, and can be denied; the last word counts`() throws {
        #expect(command(List.self, "list", "-v", "-v", "--verbose")?.verbose == 3)
        #expect(command(List.self, "list", "-vvj")?.verbose == 2)
        #expect(command(List.self, "list", "-vvj")?.json == true)
        #expect(command(List.self, "list", "--no-sort")?.sort == false)
        #expect(command(List.self, "list", "--no-sort", "--sort")?.sort == true)
        #expect(command(List.self, "list", "--paged")?.paged == true)
        #expect(command(List.self, "list", "--no-paged")?.paged == false)
        #expect(command(List.self, "list", "--enable-cache")?.cache == true)
        #expect(command(List.self, "list", "--enable-cache", "--disable-cache")?.cache == false)
    }

    @Test func `Arguments may stand anywhere, and behind two dashes everything is one`() throws {
        let list = try #require(command(List.self, "list", "a", "--json", "b", "--", "--json", "-v", "--"))
        #expect(list.place == "a")
        #expect(list.others == ["b", "--json", "-v", "--"])
        #expect(list.verbose == 0)
    }

    @Test func `Options that take whatever comes take options`() throws {
        let send = try #require(
            command(Send.self, "send", "-h", "a", "-m", "--help", "-w", "-x", "-w", "--", "--word=--version", "3"))
        #expect(send.message == "--help")
        #expect(send.word == ["-x", "--", "--version"])
        #expect(send.count == 3)
    }

    @Test func `Groups are read with the command, and hidden options too`() throws {
        let send = try #require(command(Send.self, "send", "--cafile", "x", "-h=y", "--unseen", "z"))
        #expect(send.security.cafile == "x")
        #expect(send.host == "y")
        #expect(send.unseen == "z")
        #expect(command(Secret.self, "secret") != nil)
    }

    @Test func `A command within a command, and the one that stands in`() throws {
        #expect(command(Store.Status.self, "store", "status", "--json")?.json == true)
        #expect(command(Store.Status.self, "store", "--json")?.json == true)
        #expect(command(Store.Status.self, "store") != nil)
        let purge = try #require(command(Store.Purge.self, "store", "purge", "a", "--keep", "b"))
        #expect(purge.names == ["a", "b"])
        #expect(purge.keep)
    }

    @Test func `Who copies a command and changes it leaves the other alone`() throws {
        let list = try #require(command(List.self, "list", "--limit", "5"))
        var copy = list
        copy.limit = 6
        copy.json = true
        #expect(list.limit == 5)
        #expect(!list.json)
        #expect(copy.limit == 6)
    }

    @Test func `Reading twice begins anew`() throws {
        #expect(command(List.self, "list", "-t", "a")?.tags == ["a"])
        #expect(command(List.self, "list", "-t", "b")?.tags == ["b"])
    }
}

import Glibc
import Logging
import TestSupport
import Testing
import Units

@testable import FieldpostAgent

@Suite struct StateFileTests {
    static func open(_ folder: TemporaryDirectory, _ logger: Logger = Logger(label: "test")) -> StateFile {
        StateFile(path: folder.path("queue.state.json"), logger: logger)
    }

    @Test func `What is saved is there after a restart`() async throws {
        try await withTemporaryDirectory { folder in
            let file = Self.open(folder)
            #expect(await file["alarms"] == nil)
            await file.set("alarms", ["full": ["state": "raised"]])
            await file.set("none", nil)
            await file.save()
            #expect(await Self.open(folder)["alarms"]?["full"]?["state"] == "raised")
            let seen1 = try folder.read("queue.state.json")
            #expect(seen1 == #"{"alarms":{"full":{"state":"raised"}}}"#)
        }
    }

    @Test func `What is not saved is not written`() async throws {
        try await withTemporaryDirectory { folder in
            let file = Self.open(folder)
            await file.set("a", 1)
            #expect(!folder.exists("queue.state.json"))
        }
    }

    @Test func `A crash while it was written leaves the old state`() async throws {
        try await withTemporaryDirectory { folder in
            let file = Self.open(folder)
            await file.set("a", 1)
            await file.save()
            try folder.write(#"{"a":2,"b"#, to: "queue.state.json.new")
            let later = Self.open(folder)
            #expect(await later["a"] == 1)
            await later.set("a", 3)
            await later.save()
            #expect(await Self.open(folder)["a"] == 3)
            #expect(!folder.exists("queue.state.json.new"))
        }
    }

    @Test func `What a crash left that cannot be written over does not stop it`() async throws {
        try await withTemporaryDirectory { folder in
            let other = try folder.write("other", to: "other")
            #expect(symlink(other, folder.path("queue.state.json.new")) == 0)
            let file = Self.open(folder)
            await file.set("a", 1)
            await file.save()
            #expect(await Self.open(folder)["a"] == 1)
            let seen2 = try folder.read("other")
            #expect(seen2 == "other")
        }
    }

    @Test(arguments: ["", "{", "{}x", #"{"a":"#, "\u{0}\u{0}\u{0}"])
    func `A damaged file is moved aside, and does not stop it`(_ text: String) async throws {
        try await withTemporaryDirectory { folder in
            try folder.write(text, to: "queue.state.json")
            let file = Self.open(folder)
            #expect(await file["a"] == nil)
            let seen3 = try folder.read("queue.state.json.damaged")
            #expect(seen3 == text)
            await file.set("a", 1)
            await file.save()
            #expect(await Self.open(folder)["a"] == 1)
        }
    }

    @Test func `A folder that is gone is told once, and does no harm`() async throws {
        try await withTemporaryDirectory { folder in
            let file = StateFile(path: folder.path("later/queue.state.json"), logger: Logger(label: "test"))
            await file.set("a", 1)
            await file.save()
            #expect(await file["a"] == 1)
            try folder.makeDirectory("later")
            await file.save()
            #expect(folder.exists("later/queue.state.json"))
        }
    }

    @Test func `A state that could not be read again is not written`() async throws {
        try await withTemporaryDirectory { folder in
            let file = Self.open(folder)
            await file.set("a", 1)
            await file.save()
            await file.set("b", .string(String(repeating: "x", count: 17 << 20)))
            await file.save()
            #expect(await Self.open(folder)["a"] == 1)
        }
    }

    @Test func `Many who save at once all find what they saved`() async throws {
        try await withTemporaryDirectory { folder in
            let file = Self.open(folder)
            try await withThrowingDiscardingTaskGroup { tasks in
                for number in 0..<100 {
                    tasks.addTask {
                        await file.set("n\(number)", .number(Double(number)))
                        await file.save()
                        let bytes = try folder.readBytes("queue.state.json")
                        let seen4 = try JSONReader.value(bytes[...])["n\(number)"]?.number
                        #expect(seen4 == Double(number))
                    }
                }
            }
            let later = Self.open(folder)
            for number in 0..<100 { #expect(await later["n\(number)"]?.number == Double(number)) }
        }
    }

    @Test func `Behind its end it writes nothing any more`() async throws {
        try await withTemporaryDirectory { folder in
            let file = Self.open(folder)
            await file.set("a", 1)
            await file.finish()
            await file.set("a", 2)
            await file.save()
            #expect(await Self.open(folder)["a"] == 1)
        }
    }
}

import Dispatching
import Pipeline
import SQLite
import TestSupport
import Testing
import Units

@Suite struct DispatchStoreTests {
    @Test func whatWasSavedSurvivesAKill() async throws {
        try await withTemporaryDirectory { directory in
            let store = try await DispatchStore.open(path: directory.path("dispatch.db"))
            #expect(try await store.records() == [:])
            try await store.save(["task/d/a": ["id": "ü"], "number": 7, "gone": true])
            try await store.save(["gone": nil, "number": 8, "never": nil])
            // What the disk holds while nobody has closed anything.
            for name in ["dispatch.db", "dispatch.db-wal"] {
                try directory.write(try directory.readBytes(name), to: "killed/" + name)
            }
            let next = try await DispatchStore.open(path: directory.path("killed/dispatch.db"))
            #expect(try await next.records() == ["task/d/a": ["id": "ü"], "number": 8])
            await next.close()
            await store.close()
        }
    }

    @Test func aDispatcherGoesOnFromIt() async throws {
        try await withTemporaryDirectory { directory in
            let path = directory.path("dispatch.db")
            var dispatcher = Dispatcher(DispatchSettings(), at: noon(0))
            _ = dispatcher.accept(.worker("anna", 1), at: noon(0))
            _ = dispatcher.accept(.alarm(.raised), at: noon(0))
            let store = try await DispatchStore.open(path: path)
            try await store.save(dispatcher.takeChanges())
            await store.close()
            let again = try await DispatchStore.open(path: path)
            let next = Dispatcher(DispatchSettings(), records: try await again.records(), at: noon(1))
            #expect(next.tasks == dispatcher.tasks)
            await again.close()
        }
    }

    @Test func oneProcessHasItAtATime() async throws {
        try await withTemporaryDirectory { directory in
            let path = directory.path("dispatch.db")
            let store = try await DispatchStore.open(path: path)
            let error = await #expect(throws: DispatchStoreError.self) { try await DispatchStore.open(path: path) }
            guard case .inUse(path, _)? = error else {
                Issue.record("\(String(describing: error))")
                return
            }
            await store.close()
            await #expect(throws: DispatchStoreError.failed(path: path, reason: "is closed")) {
                try await store.save(["a": 1])
            }
        }
    }

    @Test func aNewerFileAndAForeignOneAreLeftAlone() async throws {
        try await withTemporaryDirectory { directory in
            let path = directory.path("dispatch.db")
            let store = try await DispatchStore.open(path: path)
            try await store.save(["a": 1])
            await store.close()
            try Connection(path: path).pragma("user_version", 2)
            let before = try directory.readBytes("dispatch.db")
            await #expect(throws: DispatchStoreError.newer(path: path, needed: 2, known: 1)) {
                try await DispatchStore.open(path: path)
            }
            #expect(try directory.readBytes("dispatch.db") == before)

            let other = directory.path("other.db")
            try Connection(path: other).execute("CREATE TABLE a (b)")
            await #expect(throws: DispatchStoreError.foreign(path: other)) {
                try await DispatchStore.open(path: other)
            }
        }
    }

    @Test func damagedRowsAreLeftOut() async throws {
        try await withTemporaryDirectory { directory in
            let path = directory.path("dispatch.db")
            let store = try await DispatchStore.open(path: path)
            try await store.save(["a": 1, "b": 2])
            await store.close()
            try Connection(path: path).execute("UPDATE record SET value = '{' WHERE name = 'a'")
            let again = try await DispatchStore.open(path: path)
            #expect(try await again.records() == ["b": 2])
            await again.close()
        }
    }

    @Test func whereNothingCanBeWrittenItSaysSo() async throws {
        let error = await #expect(throws: DispatchStoreError.self) {
            try await DispatchStore.open(path: "/nowhere/at/all/dispatch.db")
        }
        #expect(error?.description == "/nowhere/at/all/dispatch.db.lock: No such file or directory")
    }
}

import Glibc
import MQTTWire
import NIOCore
import TestSupport
import Testing

@testable import MQTTServer

/// With a small disk of its own, which only root can have.
@Suite(.enabled(if: SmallDisk.isPossible, "only root may mount")) struct StoreMountTests {
    let place: StorePlace
    private let disk: SmallDisk

    init() throws {
        place = try StorePlace()
        disk = try #require(SmallDisk(at: place.directory, size: 1 << 20))
    }

    @Test func `a full disk is waited out (D6)`() async throws {
        let (store, state) = try await place.open()
        var generator = ChangeGenerator(state, seed: 1, now: place.now)
        #expect(await store.commit(generator.next(50), at: place.now).failure == nil)
        let saved = generator.model
        try fill()
        var status = ServerStoreStatus()
        for _ in 0..<100 where status.failure == nil {
            status = await store.commit(generator.next(50), at: place.now)
        }
        #expect(status.failure?.contains("the disk is full; make room") == true)
        #expect(saved != generator.model)
        try place.directory.remove("filler")
        status = await store.commit(generator.next(50), at: place.now)
        if status.wantsEverything { status = await store.replaceEverything(with: generator.state, at: place.now) }
        #expect(status.failure == nil && status.unsaved == 0)
        let (after, found) = try await store.crashCopy(of: place).open()
        #expect(StoreModel(found) == generator.model)
        await after.close()
        await store.close()
    }

    @Test func `a full disk does not keep the server from starting (D6)`() async throws {
        let (first, state) = try await place.open()
        var generator = ChangeGenerator(state, seed: 2, now: place.now)
        _ = await first.commit(generator.next(200), at: place.now)
        await first.close()
        try fill()
        let (store, found) = try await place.open()
        #expect(StoreModel(found) == generator.model)
        var status = await store.commit(generator.next(2000), at: place.now)
        #expect(status.failure != nil)
        try place.directory.remove("filler")
        status = await store.commit([], at: place.now)
        if status.wantsEverything { status = await store.replaceEverything(with: generator.state, at: place.now) }
        #expect(status.failure == nil, "\(status)")
        await store.close()
        let (again, state2) = try await place.open()
        #expect(StoreModel(state2) == generator.model)
        await again.close()
    }

    @Test(arguments: [true, false])
    func `a disk that became read-only is read, and written when it can be (D6)`(isClosed: Bool) async throws {
        let (first, state) = try await place.open()
        var generator = ChangeGenerator(state, seed: 3, now: place.now)
        _ = await first.commit(generator.next(200), at: place.now)
        if !isClosed {
            // As a killed process leaves it, with its log.
            for suffix in ["", "-wal", "-shm"] {
                try place.directory.write(place.directory.readBytes("broker.db\(suffix)"), to: "killed.db\(suffix)")
            }
        }
        await first.close()
        let path = place.directory.path(isClosed ? "broker.db" : "killed.db")
        try #require(disk.remount(readOnly: true))
        let (store, found) = try await place.open(path: path)
        #expect(StoreModel(found) == generator.model)
        var status = await store.commit(generator.next(10), at: place.now)
        #expect(status.failure?.contains("mount its file system for writing") == true, "\(status)")
        #expect(status.wantsEverything)
        try #require(disk.remount(readOnly: false))
        status = await store.replaceEverything(with: generator.state, at: place.now)
        #expect(status.failure == nil)
        #expect(await store.commit(generator.next(10), at: place.now).failure == nil)
        #expect(place.damagedFiles().isEmpty)
        await store.close()
        let (again, state2) = try await place.open(path: path)
        #expect(StoreModel(state2) == generator.model)
        await again.close()
    }

    private func fill() throws {
        let descriptor = open(place.directory.path("filler"), O_WRONLY | O_CREAT, 0o600)
        try #require(descriptor >= 0)
        defer { close(descriptor) }
        let page = [UInt8](repeating: 1, count: 4096)
        while write(descriptor, page, page.count) > 0 {}
    }
}

private final class SmallDisk: Sendable {
    /// Outlives the mount.
    private let directory: TemporaryDirectory

    /// - Returns: nil when it may not be mounted.
    init?(at directory: TemporaryDirectory, size: Int) {
        guard mount("tmpfs", directory.path, "tmpfs", 0, "size=\(size)") == 0 else { return nil }
        self.directory = directory
    }

    deinit { umount2(directory.path, 2 /* MNT_DETACH */) }

    func remount(readOnly: Bool) -> Bool {
        mount("tmpfs", directory.path, "tmpfs", UInt(32 /* MS_REMOUNT */ | (readOnly ? 1 /* MS_RDONLY */ : 0)), nil)
            == 0
    }

    static let isPossible: Bool = {
        guard geteuid() == 0, let directory = try? TemporaryDirectory() else { return false }
        return withExtendedLifetime(directory) { SmallDisk(at: directory, size: 4096) != nil }
    }()
}

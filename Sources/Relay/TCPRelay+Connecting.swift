internal import NIOCore
internal import NIOPosix

#if canImport(Musl)
internal import Musl
#else
internal import Glibc
#endif

/// Who listens, who is accepted, and how connections end.
extension TCPRelay {
    func listen() async throws {
        guard reservation != nil else { throw RelayError.stopped }
        guard listener == nil else { return }
        let channel = try await bind()
        // The relay may have been cut, stopped or mended a second time meanwhile.
        if listener == nil && reservation != nil && faults.newcomers != .refused {
            listener = channel
        } else {
            channel.close(promise: nil)
        }
    }

    /// A listener that was just closed may linger: a child process that is being started elsewhere in this program holds
    /// a copy of its descriptor until it becomes its program. So a port in use is asked for again, for two seconds.
    private func bind() async throws -> any Channel {
        let deadline = ContinuousClock.now + .seconds(2)
        while true {
            do {
                return try await ServerBootstrap(group: eventLoop)
                    .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
                    .childChannelInitializer { channel in
                        channel.eventLoop.makeCompletedFuture {
                            let id = self.assumeIsolated { $0.takeID() }
                            try self.prepare(channel, id, .client)
                        }
                    }
                    .bind(host: "127.0.0.1", port: port)
                    .get()
            } catch let error as IOError where error.errnoCode == EADDRINUSE && ContinuousClock.now < deadline {
                try await Task.sleep(for: .milliseconds(5))
            }
        }
    }

    /// The relay reads when it wants to, in small pieces, and hears of a FIN apart from the close.
    private nonisolated func prepare(_ channel: any Channel, _ id: Int, _ side: Side) throws {
        let options = channel.syncOptions
        try options?.setOption(.autoRead, value: false)
        try options?.setOption(.allowRemoteHalfClosure, value: true)
        try options?.setOption(.maxMessagesPerRead, value: 1)
        try options?.setOption(.recvAllocator, value: FixedSizeRecvByteBufferAllocator(capacity: 16 * 1024))
        try options?.setOption(.tcpOption(.tcp_nodelay), value: 1)
        try channel.pipeline.syncOperations.addHandler(LinkHandler(relay: self, id: id, side: side))
    }

    func closeListener() {
        listener?.close(promise: nil)
        listener = nil
    }

    /// A client was accepted.
    func accepted(_ channel: any Channel, id: Int) {
        guard reservation != nil else { return channel.end(.reset) }
        switch faults.newcomers {
        case .served:
            add(Link(id: id, client: channel))
            connect(id)
        case .swallowed:
            let link = Link(id: id, client: channel)
            link.lossy = .both
            add(link)
            counters.turnedAway += 1
            channel.read()
        case .closed, .refused:
            counters.turnedAway += 1
            channel.end(.reset)
        }
    }

    private func connect(_ id: Int) {
        links[id]?.isConnecting = true
        ClientBootstrap(group: eventLoop)
            .connectTimeout(.seconds(5))
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture { try self.prepare(channel, id, .server) }
            }
            .connect(host: target.host, port: target.port)
            .whenComplete { result in
                self.assumeIsolated { $0.connected(id, result) }
            }
    }

    private func connected(_ id: Int, _ result: Result<any Channel, any Error>) {
        guard let link = links[id] else {
            // Cut, or left by its client, while it was being connected.
            if case .success(let channel) = result { channel.end(.reset) }
            return
        }
        link.isConnecting = false
        switch result {
        case .success(let channel):
            link[.server] = channel
            counters.connections += 1
            link[.client]?.read()
            channel.read()
            // A client that sent its bytes and its FIN at once was read to its end already.
            drain(link, .toServer)
        case .failure:
            counters.unreachable += 1
            close(link, .reset)
        }
    }

    func add(_ link: Link) {
        links[link.id] = link
        counters.open = links.count
    }

    func close(_ link: Link, _ ending: Ending) {
        links[link.id] = nil
        link.close(ending)
        counters.open = links.count
    }

    func closeLinks(_ ending: Ending) {
        let closing = links.values
        links = [:]
        for link in closing { link.close(ending) }
        counters.open = 0
    }
}

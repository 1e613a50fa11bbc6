import MQTTWire
import NIOCore

/// What a broker sent, in order, until a test takes it. Lives on the connection's event loop.
final class Inbox: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    /// What a test waits for: the first packet that fits, or the end of the connection.
    private struct Waiter {
        let fits: @Sendable (Packet) -> Bool
        let promise: EventLoopPromise<Packet>
        let alarm: Scheduled<Void>
    }

    private var decoder: PacketDecoder
    private var bytes = ByteBuffer()
    private var packets: [Packet] = []
    /// Set once nothing more can come.
    private var end: Ended?
    private var waiters: [Waiter] = []
    private var endWaiters: [(EventLoopPromise<Ended>, Scheduled<Void>)] = []

    init(version: ProtocolVersion) {
        decoder = PacketDecoder(version: version, maximumPacketSize: .max)
    }

    /// Takes the first packet that fits; the others keep their places.
    func take(_ what: String, on eventLoop: any EventLoop, _ fits: @escaping @Sendable (Packet) -> Bool)
        -> EventLoopFuture<Packet>
    {
        let promise = eventLoop.makePromise(of: Packet.self)
        if let index = packets.firstIndex(where: fits) {
            promise.succeed(packets.remove(at: index))
        } else if let end {
            promise.fail(Surprise("\(what) awaited, but \(end) with \(packets) unread"))
        } else {
            let alarm = eventLoop.scheduleTask(in: patience) {
                promise.fail(Surprise("waited in vain for \(what)"))
            }
            waiters.append(Waiter(fits: fits, promise: promise, alarm: alarm))
        }
        return promise.futureResult
    }

    /// Waits until the broker has closed the connection.
    func whenEnded(on eventLoop: any EventLoop) -> EventLoopFuture<Ended> {
        let promise = eventLoop.makePromise(of: Ended.self)
        if let end {
            promise.succeed(end)
        } else {
            let alarm = eventLoop.scheduleTask(in: patience) {
                let what = "the end of the connection"
                promise.fail(Surprise("waited in vain for \(what)"))
            }
            endWaiters.append((promise, alarm))
        }
        return promise.futureResult
    }

    /// Everything that has arrived and was not taken.
    func takeAll() -> [Packet] {
        defer { packets = [] }
        return packets
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var buffer = unwrapInboundIn(data)
        bytes.writeBuffer(&buffer)
        do {
            while let packet = try decoder.decode(from: &bytes) { arrived(packet) }
        } catch {
            finish(.undecodable("\(error)"))
        }
    }

    func channelInactive(context: ChannelHandlerContext) { finish(.closed) }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        // A reset: the end follows as channelInactive.
        context.close(promise: nil)
    }

    private func arrived(_ packet: Packet) {
        guard let index = waiters.firstIndex(where: { $0.fits(packet) }) else {
            packets.append(packet)
            return
        }
        let waiter = waiters.remove(at: index)
        waiter.alarm.cancel()
        waiter.promise.succeed(packet)
    }

    private func finish(_ end: Ended) {
        guard self.end == nil else { return }
        self.end = end
        for waiter in waiters {
            waiter.alarm.cancel()
            waiter.promise.fail(Surprise("\(end) while a packet was awaited, with \(packets) unread"))
        }
        for (promise, alarm) in endWaiters {
            alarm.cancel()
            promise.succeed(end)
        }
        waiters = []
        endWaiters = []
    }
}

/// How a connection ended.
enum Ended: Sendable, Equatable {
    case closed
    /// The broker sent what MQTT does not allow; the text says what.
    case undecodable(String)
}

/// The guard against hangs, for everything that a test waits for.
let patience = TimeAmount.seconds(10)

/// A broker did something else than it had to.
struct Surprise: Error, CustomStringConvertible {
    let description: String
    init(_ description: String) { self.description = description }
}

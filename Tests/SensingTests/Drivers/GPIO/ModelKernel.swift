import Glibc
import Synchronization

@testable import Sensing

/// What the kernel does with GPIO lines, by drivers/gpio/gpiolib-cdev.c: one owner to a line, edges in a bounded queue that
/// numbers them and drops the oldest, debouncing, removal of a chip. Its time passes only when it is told to.
final class ModelKernel: GPIOKernel {
    private struct Wire {
        var name: String
        /// What the wire's voltage is.
        var isHigh = false
        var owner: Owner?
        /// Of the owner that is not one of our requests.
        var consumer: String?
        var hasInterrupt = true

        mutating func change(to isHigh: Bool, _ now: UInt64) {
            guard self.isHigh != isHigh else { return }
            self.isHigh = isHigh
            if let debounce = owner?.request.debounce {
                owner?.settlesAt = now + UInt64(debounce) * 1000
            } else {
                owner?.settled = isHigh
                owner?.tell(isHigh, now)
            }
        }
    }

    private struct Owner {
        var descriptor: Int32
        var request: LineRequest
        var queue: [LineEvent] = []
        var number: UInt32 = 0
        /// The voltage that debouncing has let through, and when it lets another one through.
        var settled: Bool
        var settlesAt: UInt64?

        mutating func tell(_ isHigh: Bool, _ now: UInt64) {
            let isRising = isHigh != request.flags.contains(.activeLow)
            guard request.flags.contains(isRising ? .rising : .falling) else { return }
            number &+= 1
            if queue.count == LineRequest.eventBufferSize { queue.removeFirst() }
            queue.append(LineEvent(time: now, isRising: isRising, number: number))
        }
    }

    private struct Chip {
        var path: String
        var name: String
        var label: String
        var wires: [Wire]
        var isClosed = false
    }

    private enum Open {
        case chip(Int)
        case line(chip: Int, wire: Int)
    }

    private struct State {
        var now: UInt64 = 1_000_000_000_000
        /// By a number of their own: a chip that is removed keeps it for those who have it open.
        var chips: [Int: Chip] = [:]
        var opened: [Int32: Open] = [:]
        var nextChip = 0
        var nextDescriptor: Int32 = 1000
        /// Links in /dev, by path.
        var links: [String: Int] = [:]
        /// What happens later: a wire's voltage changes.
        var plan: [(time: UInt64, chip: Int, wire: Int, isHigh: Bool)] = []
        var interruptions = 0
        var calls = 0
        /// What the next call of that kind fails with.
        var faults: [String: Int32] = [:]
        var isOld = false
        var released = 0
    }

    private let state = Mutex(State())

    // MARK: What the test does

    /// - Returns: the number by which the test calls the chip.
    @discardableResult
    func plug(_ name: String, _ label: String, _ wires: [String], isClosed: Bool = false) -> Int {
        state.withLock { state in
            state.nextChip += 1
            state.chips[state.nextChip] = Chip(
                path: "/dev/\(name)", name: name, label: label, wires: wires.map { Wire(name: $0) }, isClosed: isClosed)
            return state.nextChip
        }
    }

    func link(_ path: String, to chip: Int) { state.withLock { $0.links[path] = chip } }

    func unplug(_ chip: Int) { state.withLock { $0.chips[chip] = nil } }

    func occupy(_ chip: Int, _ wire: Int, by consumer: String) {
        state.withLock { $0.chips[chip]?.wires[wire].consumer = consumer }
    }

    func free(_ chip: Int, _ wire: Int) { state.withLock { $0.chips[chip]?.wires[wire].consumer = nil } }

    func removeInterrupt(_ chip: Int, _ wire: Int) {
        state.withLock { $0.chips[chip]?.wires[wire].hasInterrupt = false }
    }

    /// Every second call is interrupted.
    func interrupt() { state.withLock { $0.interruptions = 1 } }

    /// Only the first version of the interface is there.
    func growOld() { state.withLock { $0.isOld = true } }

    /// The next call of that kind fails.
    func fail(_ call: String, _ code: Int32) { state.withLock { $0.faults[call] = code } }

    /// The wire's voltage, now.
    func put(_ chip: Int, _ wire: Int, _ isHigh: Bool) {
        state.withLock { Self.change(&$0, chip, wire, isHigh) }
    }

    /// So many short pulses, one each `nanoseconds`; the wire is low after that.
    func pulse(_ chip: Int, _ wire: Int, times: Int, each nanoseconds: UInt64) {
        for _ in 0..<times {
            pass(nanoseconds / 2)
            put(chip, wire, true)
            pass(nanoseconds - nanoseconds / 2)
            put(chip, wire, false)
        }
    }

    /// The wire's voltage changes after some time, which also passes while the driver waits.
    func plan(_ chip: Int, _ wire: Int, _ isHigh: Bool, after nanoseconds: UInt64) {
        state.withLock {
            $0.plan.append(($0.now + nanoseconds, chip, wire, isHigh))
            $0.plan.sort { $0.time < $1.time }
        }
    }

    func pass(_ nanoseconds: UInt64) { state.withLock { Self.advance(&$0, to: $0.now + nanoseconds) } }

    /// What an output's wire has.
    func voltage(_ chip: Int, _ wire: Int) -> Bool? { state.withLock { $0.chips[chip]?.wires[wire].isHigh } }

    func request(_ chip: Int, _ wire: Int) -> LineRequest? {
        state.withLock { state in
            guard let wires = state.chips[chip]?.wires, wires.indices.contains(wire) else { return nil }
            return wires[wire].owner?.request
        }
    }

    var openDescriptors: Int { state.withLock { $0.opened.count } }
    var calls: Int { state.withLock { $0.calls } }

    func isReadable(_ descriptor: Int32) -> Bool { state.withLock { Self.isReadable($0, descriptor) } }

    // MARK: What happens in it

    private static func advance(_ state: inout State, to time: UInt64) {
        while true {
            let planned = state.plan.first?.time ?? .max
            let settling = state.chips.values.lazy.flatMap(\.wires).compactMap(\.owner?.settlesAt).min() ?? .max
            let next = min(planned, settling)
            guard next <= time else { break }
            state.now = max(state.now, next)
            if settling <= planned {
                settle(&state)
            } else {
                let step = state.plan.removeFirst()
                change(&state, step.chip, step.wire, step.isHigh)
            }
        }
        state.now = max(state.now, time)
    }

    private static func settle(_ state: inout State) {
        for (number, chip) in state.chips {
            for index in chip.wires.indices {
                let wire = chip.wires[index]
                guard var owner = wire.owner, let time = owner.settlesAt, time <= state.now else { continue }
                owner.settlesAt = nil
                if owner.settled != wire.isHigh {
                    owner.settled = wire.isHigh
                    owner.tell(wire.isHigh, state.now)
                }
                state.chips[number]?.wires[index].owner = owner
            }
        }
    }

    private static func change(_ state: inout State, _ chip: Int, _ index: Int, _ isHigh: Bool) {
        let now = state.now
        state.chips[chip]?.wires[index].change(to: isHigh, now)
    }

    private static func isReadable(_ state: State, _ descriptor: Int32) -> Bool {
        guard case .line(let chip, let wire)? = state.opened[descriptor] else { return false }
        // A line whose chip is gone hangs up.
        guard let wires = state.chips[chip]?.wires else { return true }
        return wires[wire].owner?.queue.isEmpty == false
    }

    // MARK: What the driver asks

    private func call<Result>(
        _ name: String, _ body: (inout State) -> Swift.Result<Result, SystemFault>
    ) throws(SystemFault) -> Result {
        try state.withLock { state -> Swift.Result<Result, SystemFault> in
            state.calls += 1
            if state.interruptions > 0 {
                state.interruptions += 1
                if state.interruptions.isMultiple(of: 2) { return .failure(SystemFault(code: EINTR)) }
            }
            if let code = state.faults.removeValue(forKey: name) { return .failure(SystemFault(code: code)) }
            return body(&state)
        }.get()
    }

    private static func fault<Result>(_ code: Int32) -> Swift.Result<Result, SystemFault> {
        .failure(SystemFault(code: code))
    }

    func chipPaths() -> [String] {
        state.withLock { ($0.chips.values.map(\.path) + $0.links.keys).sorted() }
    }

    func device(ofChip name: String) -> String? { "device-of-\(name)" }

    func openChip(_ path: String) throws(SystemFault) -> Int32 {
        try call("open") { state in
            let linked = state.links[path]
            guard let (number, chip) = state.chips.first(where: { $0.value.path == path || $0.key == linked }) else {
                return Self.fault(ENOENT)
            }
            if chip.isClosed { return Self.fault(EACCES) }
            state.nextDescriptor += 1
            state.opened[state.nextDescriptor] = .chip(number)
            return .success(state.nextDescriptor)
        }
    }

    func release(_ descriptor: Int32) {
        state.withLock { state in
            guard let open = state.opened.removeValue(forKey: descriptor) else {
                fatalError("\(descriptor) is not open")
            }
            if case .line(let chip, let wire) = open, state.chips[chip] != nil {
                state.chips[chip]?.wires[wire].owner = nil
            }
        }
    }

    func chip(_ descriptor: Int32, at path: String) throws(SystemFault) -> GPIOChip {
        try call("chip") { state in
            guard case .chip(let number)? = state.opened[descriptor] else { return Self.fault(ENOTTY) }
            guard let chip = state.chips[number] else { return Self.fault(ENODEV) }
            return .success(
                GPIOChip(
                    path: path, name: chip.name, label: chip.label, device: "device-of-\(chip.name)",
                    lineCount: UInt32(chip.wires.count)))
        }
    }

    func line(_ offset: UInt32, ofChip descriptor: Int32) throws(SystemFault) -> GPIOLine {
        try call("line") { state in
            guard case .chip(let number)? = state.opened[descriptor] else { return Self.fault(ENOTTY) }
            guard let chip = state.chips[number] else { return Self.fault(ENODEV) }
            guard !state.isOld, offset < chip.wires.count else { return Self.fault(EINVAL) }
            let wire = chip.wires[Int(offset)]
            var flags = wire.owner?.request.flags ?? .input
            if wire.owner != nil || wire.consumer != nil { flags.insert(.used) }
            return .success(
                GPIOLine(
                    offset: offset, name: wire.name, consumer: wire.owner?.request.consumer ?? wire.consumer ?? "",
                    flags: flags, debounce: wire.owner?.request.debounce))
        }
    }

    func request(_ request: LineRequest, ofChip descriptor: Int32) throws(SystemFault) -> Int32 {
        try call("request") { state in
            guard case .chip(let number)? = state.opened[descriptor] else { return Self.fault(ENOTTY) }
            guard let chip = state.chips[number] else { return Self.fault(ENODEV) }
            guard request.offset < chip.wires.count, request.consumer.utf8.count < 32 else {
                return Self.fault(EINVAL)
            }
            var wire = chip.wires[Int(request.offset)]
            guard wire.owner == nil, wire.consumer == nil else { return Self.fault(EBUSY) }
            let flags = request.flags
            guard flags.contains(.input) != flags.contains(.output),
                !flags.contains(.output) || flags.isDisjoint(with: [.rising, .falling]) && request.debounce == nil,
                flags.contains(.output) == (request.output != nil)
            else { return Self.fault(EINVAL) }
            let edges = !flags.isDisjoint(with: [.rising, .falling])
            guard wire.hasInterrupt || !edges && request.debounce == nil else { return Self.fault(ENXIO) }
            if let output = request.output { wire.isHigh = output != flags.contains(.activeLow) }
            state.nextDescriptor += 1
            wire.owner = Owner(descriptor: state.nextDescriptor, request: request, settled: wire.isHigh)
            state.chips[number]?.wires[Int(request.offset)] = wire
            state.opened[state.nextDescriptor] = .line(chip: number, wire: Int(request.offset))
            return .success(state.nextDescriptor)
        }
    }

    func level(_ line: Int32) throws(SystemFault) -> Bool {
        try call("level") { state in
            guard case .line(let chip, let index)? = state.opened[line] else { return Self.fault(EBADF) }
            guard let wire = state.chips[chip]?.wires[index], let owner = wire.owner else { return Self.fault(ENODEV) }
            let isHigh = owner.request.debounce == nil ? wire.isHigh : owner.settled
            return .success(isHigh != owner.request.flags.contains(.activeLow))
        }
    }

    func set(_ line: Int32, to level: Bool) throws(SystemFault) {
        try call("set") { state -> Result<Void, SystemFault> in
            guard case .line(let chip, let index)? = state.opened[line] else { return Self.fault(EBADF) }
            guard let owner = state.chips[chip]?.wires[index].owner else { return Self.fault(ENODEV) }
            guard owner.request.flags.contains(.output) else { return Self.fault(EPERM) }
            state.chips[chip]?.wires[index].isHigh = level != owner.request.flags.contains(.activeLow)
            return .success(())
        }
    }

    func events(_ line: Int32) throws(SystemFault) -> [LineEvent] {
        try call("events") { state in
            guard case .line(let chip, let index)? = state.opened[line] else { return Self.fault(EBADF) }
            guard var owner = state.chips[chip]?.wires[index].owner else { return Self.fault(ENODEV) }
            let events = Array(owner.queue.prefix(64))
            owner.queue.removeFirst(events.count)
            state.chips[chip]?.wires[index].owner = owner
            return .success(events)
        }
    }

    func wait(for descriptor: Int32, milliseconds: Int32) {
        state.withLock { state in
            let end = state.now + UInt64(max(milliseconds, 0)) * 1_000_000
            while !Self.isReadable(state, descriptor), state.now < end {
                Self.advance(&state, to: min(end, state.now + 100_000))
            }
        }
    }

    var monotonicNow: UInt64 { state.withLock { $0.now } }
}

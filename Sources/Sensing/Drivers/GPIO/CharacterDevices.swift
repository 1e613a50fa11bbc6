internal import CLinux

#if canImport(Glibc)
internal import Glibc
#elseif canImport(Musl)
internal import Musl
#endif

/// The kernel's GPIO character devices, by the second version of their interface (Linux 5.10).
/// Documentation/userspace-api/gpio/chardev.rst.
struct CharacterDevices: GPIOKernel {
    /// Edges that are read with one call.
    private static let eventsAtOnce = 64

    let context: DriverContext

    func chipPaths() -> [String] {
        let folder = context.path("/dev")
        let numbers = ((try? KernelFolder.names(in: folder)) ?? []).compactMap { name in
            name.hasPrefix("gpiochip") ? UInt32(name.dropFirst("gpiochip".count)) : nil
        }
        return numbers.sorted().map { "\(folder)/gpiochip\($0)" }
    }

    func device(ofChip name: String) -> String? {
        guard let real = realpath(context.path("/sys/bus/gpio/devices/\(name)"), nil) else { return nil }
        defer { free(real) }
        return String(cString: real).split(separator: "/").dropLast().last.map(String.init)
    }

    func openChip(_ path: String) throws(SystemFault) -> Int32 {
        try check(open(path, O_RDWR | O_CLOEXEC | O_NONBLOCK))
    }

    func release(_ descriptor: Int32) { close(descriptor) }

    func chip(_ descriptor: Int32, at path: String) throws(SystemFault) -> GPIOChip {
        var info = gpiochip_info()
        _ = try check(clinux_gpio_ask_chip(descriptor, &info))
        let name = Self.text(info.name)
        return GPIOChip(
            path: path, name: name, label: Self.text(info.label), device: device(ofChip: name), lineCount: info.lines)
    }

    func line(_ offset: UInt32, ofChip descriptor: Int32) throws(SystemFault) -> GPIOLine {
        var info = gpio_v2_line_info()
        info.offset = offset
        _ = try check(clinux_gpio_ask_line(descriptor, &info))
        let debounce = withUnsafeBytes(of: &info.attrs) { attributes in
            attributes.bindMemory(to: gpio_v2_line_attribute.self).prefix(Int(min(info.num_attrs, 10)))
                .first { $0.id == GPIO_V2_LINE_ATTR_ID_DEBOUNCE.rawValue }?.debounce_period_us
        }
        return GPIOLine(
            offset: offset, name: Self.text(info.name), consumer: Self.text(info.consumer),
            flags: LineFlags(rawValue: info.flags), debounce: debounce)
    }

    func request(_ request: LineRequest, ofChip descriptor: Int32) throws(SystemFault) -> Int32 {
        var asked = gpio_v2_line_request()
        asked.num_lines = 1
        asked.offsets.0 = request.offset
        withUnsafeMutableBytes(of: &asked.consumer) {
            $0.copyBytes(from: request.consumer.utf8.prefix(LineRequest.consumerLimit))
        }
        asked.config.flags = request.flags.rawValue
        if let debounce = request.debounce {
            asked.config.num_attrs = 1
            asked.config.attrs.0.attr.id = GPIO_V2_LINE_ATTR_ID_DEBOUNCE.rawValue
            asked.config.attrs.0.attr.debounce_period_us = debounce
            asked.config.attrs.0.mask = 1
        } else if let output = request.output {
            asked.config.num_attrs = 1
            asked.config.attrs.0.attr.id = GPIO_V2_LINE_ATTR_ID_OUTPUT_VALUES.rawValue
            asked.config.attrs.0.attr.values = output ? 1 : 0
            asked.config.attrs.0.mask = 1
        }
        asked.event_buffer_size = LineRequest.eventBufferSize
        _ = try check(clinux_gpio_request(descriptor, &asked))
        guard fcntl(asked.fd, F_SETFL, O_NONBLOCK) == 0 else {
            let fault = SystemFault(code: errno)
            close(asked.fd)
            throw fault
        }
        return asked.fd
    }

    func level(_ line: Int32) throws(SystemFault) -> Bool {
        var values = gpio_v2_line_values(bits: 0, mask: 1)
        _ = try check(clinux_gpio_get(line, &values))
        return values.bits & 1 == 1
    }

    func set(_ line: Int32, to level: Bool) throws(SystemFault) {
        var values = gpio_v2_line_values(bits: level ? 1 : 0, mask: 1)
        _ = try check(clinux_gpio_set(line, &values))
    }

    func events(_ line: Int32) throws(SystemFault) -> [LineEvent] {
        let (events, code) = withUnsafeTemporaryAllocation(
            byteCount: Self.eventsAtOnce * LineEvent.size, alignment: 8
        ) { buffer -> ([LineEvent], Int32) in
            let count = read(line, buffer.baseAddress, buffer.count)
            guard count >= 0 else { return ([], errno == EAGAIN ? 0 : errno) }
            return (LineEvent.decode(UnsafeRawBufferPointer(rebasing: buffer[..<count])), 0)
        }
        guard code == 0 else { throw SystemFault(code: code) }
        return events
    }

    func wait(for descriptor: Int32, milliseconds: Int32) {
        var wanted = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        _ = poll(&wanted, 1, milliseconds)
    }

    var monotonicNow: UInt64 {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
    }

    private func check(_ result: Int32) throws(SystemFault) -> Int32 {
        guard result >= 0 else { throw SystemFault(code: errno) }
        return result
    }

    /// What stands in a field of bytes up to its first NUL. The C type of its bytes has a sign, or not.
    private static func text<Field>(_ field: Field) -> String {
        withUnsafeBytes(of: field) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
    }
}

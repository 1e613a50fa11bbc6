public import NIOCore

/// CONNECT: the first packet of a client (5.0 §3.1).
public struct Connect: Sendable, Hashable {
    public var version: ProtocolVersion
    /// Empty: the server assigns one (under 3.1.1 only together with `cleanStart`, under 3.1 never). 3.1 also allows 23
    /// characters at most; as with Mosquitto, which is what its clients are used to, it may be longer.
    public var clientIdentifier: String
    /// 5.0 Clean Start; 3.1.1 Clean Session.
    public var cleanStart: Bool
    /// Seconds, 0 to 65,535; 0 turns keep-alive off.
    public var keepAlive: UInt16
    public var username: String?
    public var password: ByteBuffer?
    public var will: Will?
    public var properties: Properties
    /// Mosquitto's bridges of 3.1 and 3.1.1 say that they are bridges by the highest bit of the protocol level, and try again
    /// without it where that is answered with return code 1 (mosquitto.conf(5), try_private). Under 5.0 they say by
    /// subscription options what they want.
    public var isBridge = false

    public init(
        version: ProtocolVersion, clientIdentifier: String, cleanStart: Bool = true, keepAlive: UInt16 = 60,
        username: String? = nil, password: ByteBuffer? = nil, will: Will? = nil, properties: Properties = []
    ) {
        self.version = version
        self.clientIdentifier = clientIdentifier
        self.cleanStart = cleanStart
        self.keepAlive = keepAlive
        self.username = username
        self.password = password
        self.will = will
        self.properties = properties
    }
}

/// The connect flags (5.0 §3.1.2.3, 3.1.1 §3.1.2.3).
private enum ConnectFlag {
    static let reserved: UInt8 = 0x01
    static let cleanStart: UInt8 = 0x02
    static let will: UInt8 = 0x04
    static let willRetain: UInt8 = 0x20
    static let password: UInt8 = 0x40
    static let username: UInt8 = 0x80
}

extension Connect {
    func size(_ sizer: PacketSizer) throws(EncodingError) -> Int {
        if version != sizer.version { throw sizer.failure(.versionMismatch) }
        if version != .v5, password != nil, username == nil { throw sizer.failure(.passwordWithoutUsername) }
        if clientIdentifier.isEmpty, !mayLackIdentifier { throw sizer.failure(.clientIdentifierEmpty) }
        // The protocol name, the level, the flags and the keep-alive.
        var size = 2 + version.protocolName.utf8.count + 4
        size += try sizer.size(of: properties, in: .packet(.connect))
        size += try sizer.size(of: clientIdentifier)
        if let will { size += try will.size(sizer) }
        if let username { size += try sizer.size(of: username) }
        if let password { size += try sizer.size(of: password) }
        return size
    }

    func write(to buffer: inout ByteBuffer) {
        buffer.writePrefixed(version.protocolName)
        buffer.writeInteger(version.rawValue | (isBridge && version != .v5 ? Self.bridge : 0))
        buffer.writeInteger(flags)
        buffer.writeInteger(keepAlive)
        buffer.write(properties, version: version)
        buffer.writePrefixed(clientIdentifier)
        if let will { will.write(to: &buffer, version: version) }
        if let username { buffer.writePrefixed(username) }
        if let password { buffer.writePrefixed(password) }
    }

    init(from reader: inout PacketReader) throws(DecodingError) {
        let flags: UInt8
        (version, isBridge, flags) = try Self.readHead(from: &reader)
        let will = try Will.Flags(connectFlags: flags, of: reader)
        cleanStart = flags & ConnectFlag.cleanStart != 0
        keepAlive = try reader.readUInt16()
        properties = try reader.readProperties(in: .packet(.connect))
        clientIdentifier = try reader.readString()
        if clientIdentifier.isEmpty, !mayLackIdentifier { throw reader.failure(.clientIdentifierEmpty) }
        self.will = if let will { try Will(will, from: &reader) } else { nil }
        username = reader.has(ConnectFlag.username, in: flags) ? try reader.readString() : nil
        password = reader.has(ConnectFlag.password, in: flags) ? try reader.readBinary() : nil
    }

    private var mayLackIdentifier: Bool {
        switch version {
        case .v3_1: false
        case .v3_1_1: cleanStart
        case .v5: true
        }
    }

    /// Reads the protocol's name, its level and the connect flags. Name and level are looked at before all else: a
    /// peer that speaks something else is to be told that, not where its packet differs from ours.
    private static func readHead(
        from reader: inout PacketReader
    ) throws(DecodingError) -> (ProtocolVersion, isBridge: Bool, flags: UInt8) {
        let name = try reader.readBinary()
        let isOf3_1 = name == ByteBuffer(string: ProtocolVersion.v3_1.protocolName)
        guard isOf3_1 || name == ByteBuffer(string: ProtocolVersion.v5.protocolName) else {
            throw reader.failure(.invalidProtocolName)
        }
        let level = try reader.readByte()
        let isBridge =
            level == ProtocolVersion.v3_1.rawValue | bridge || level == ProtocolVersion.v3_1_1.rawValue | bridge
        guard let version = ProtocolVersion(rawValue: isBridge ? level ^ bridge : level), isOf3_1 == (version == .v3_1)
        else {
            throw isOf3_1
                ? reader.failure(.invalidProtocolName) : reader.failure(.unsupportedProtocolVersion, found: Int(level))
        }
        reader.version = version
        let flags = try reader.readByte()
        if flags & ConnectFlag.reserved != 0 { throw reader.failure(.connectFlagsReserved, found: Int(flags)) }
        if version != .v5, flags & ConnectFlag.password != 0, flags & ConnectFlag.username == 0 {
            throw reader.failure(.passwordWithoutUsername)
        }
        return (version, isBridge, flags)
    }

    private static let bridge: UInt8 = 0x80

    private var flags: UInt8 {
        var flags: UInt8 = cleanStart ? ConnectFlag.cleanStart : 0
        if let will {
            flags |= ConnectFlag.will | will.qos.rawValue << 3
            if will.retain { flags |= ConnectFlag.willRetain }
        }
        if username != nil { flags |= ConnectFlag.username }
        if password != nil { flags |= ConnectFlag.password }
        return flags
    }
}

extension PacketReader {
    /// Under 3.1 the packet's length tells more than the flags of user name and password: either may be announced and
    /// missing (V3.1 §3.1).
    fileprivate func has(_ flag: UInt8, in flags: UInt8) -> Bool {
        flags & flag != 0 && (version != .v3_1 || remaining > 0)
    }
}

extension Will.Flags {
    /// Nil when there is no will.
    fileprivate init?(connectFlags: UInt8, of reader: PacketReader) throws(DecodingError) {
        let bits = connectFlags >> 3 & 0b11
        let retain = connectFlags & ConnectFlag.willRetain != 0
        guard connectFlags & ConnectFlag.will != 0 else {
            // 3.1 disregards both.
            if reader.version == .v3_1 { return nil }
            if bits != 0 { throw reader.failure(.willQoSWithoutWill, found: Int(bits)) }
            if retain { throw reader.failure(.willRetainWithoutWill) }
            return nil
        }
        guard let qos = QoS(rawValue: bits) else { throw reader.failure(.invalidQoS, found: Int(bits)) }
        self.init(qos: qos, retain: retain)
    }
}

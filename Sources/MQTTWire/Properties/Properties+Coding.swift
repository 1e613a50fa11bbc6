internal import NIOCore

extension PacketSizer {
    /// The bytes that the properties take together with the length in front of them; none under 3.1.1.
    func size(of properties: Properties, in place: PropertyPlace) throws(EncodingError) -> Int {
        guard version == .v5 else {
            if properties.isEmpty { return 0 }
            throw failure(.notInVersion)
        }
        let length = try length(of: properties, in: place)
        return VariableByteInteger.size(length) + length
    }

    private func length(of properties: Properties, in place: PropertyPlace) throws(EncodingError) -> Int {
        if properties.isEmpty { return 0 }
        let allowed = place.allowed
        var seen: PropertySet = []
        var length = 0
        for property in properties.all {
            let identifier = property.identifier
            let number = Int(identifier.rawValue)
            if !allowed.contains(identifier) { throw failure(.propertyNotAllowed, found: number) }
            if !seen.insert(identifier), !identifier.mayRepeat(in: place) {
                throw failure(.propertyRepeated, found: number)
            }
            try check(property)
            length += property.encodedSize
        }
        if seen.contains(.authenticationData), !seen.contains(.authenticationMethod) {
            throw failure(.authenticationDataWithoutMethod)
        }
        return length
    }
}

extension ByteBuffer {
    /// Writes the properties with their length in front; nothing under 3.1.1.
    mutating func write(_ properties: Properties, version: ProtocolVersion) {
        guard version == .v5 else { return }
        writeVariableByteInteger(properties.all.reduce(0) { $0 + $1.encodedSize })
        for property in properties.all { write(property) }
    }
}

extension PacketReader {
    /// Reads the properties and their length; under 3.1.1 there are none.
    mutating func readProperties(in place: PropertyPlace) throws(DecodingError) -> Properties {
        guard version == .v5 else { return [] }
        let length = try readVariableByteInteger()
        if length == 0 { return [] }
        let end = remaining - length
        if end < 0 { throw failure(.truncated) }
        let allowed = place.allowed
        var seen: PropertySet = []
        var properties: [Property] = []
        while remaining > end {
            let number = try readVariableByteInteger()
            guard let identifier = UInt8(exactly: number).flatMap(PropertyIdentifier.init(rawValue:)) else {
                throw failure(.unknownProperty, found: number)
            }
            if !allowed.contains(identifier) { throw failure(.propertyNotAllowed, found: number) }
            if !seen.insert(identifier), !identifier.mayRepeat(in: place) {
                throw failure(.propertyRepeated, found: number)
            }
            let property = try readProperty(identifier)
            if remaining < end { throw failure(.truncated) }
            if let rule = property.brokenRule { throw failure(rule, found: number) }
            properties.append(property)
        }
        if seen.contains(.authenticationData), !seen.contains(.authenticationMethod) {
            throw failure(.authenticationDataWithoutMethod)
        }
        return Properties(properties)
    }
}

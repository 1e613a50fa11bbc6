/// The requests that read a sensor's channels: as few as possible, without asking for what nobody wants.
struct ModbusPlan: Sendable {
    struct Step: Sendable {
        var table: ModbusTable
        var address: Int
        var count: Int
        /// Which channels it reads.
        var channels: [Int]

        var request: ModbusRequest {
            ModbusRequest(.read(table, count: count), at: UInt16(clamping: address))
        }
    }

    private(set) var steps: [Step] = []

    /// - Parameter gap: how many registers or bits that nobody wants may be read to save a request. Devices refuse a
    ///   request for some that they do not have.
    init(_ channels: [ModbusChannel], gap: Int) {
        for table in ModbusTable.allCases {
            let ordered = channels.indices.filter { channels[$0].table == table }
                .sorted { (channels[$0].address, $0) < (channels[$1].address, $1) }
            for index in ordered {
                let address = Int(channels[index].address)
                let end = address + channels[index].count
                if let last = steps.last, last.table == table, address <= last.address + last.count + gap,
                    max(end, last.address + last.count) - last.address <= table.limit
                {
                    steps[steps.count - 1].count = max(end, last.address + last.count) - last.address
                    steps[steps.count - 1].channels.append(index)
                } else {
                    steps.append(Step(table: table, address: address, count: end - address, channels: [index]))
                }
            }
        }
    }

    /// A device refused a step's request: from now on each of its channels is asked for by itself, so that only those
    /// fail that it does not have.
    mutating func split(_ step: Int, _ channels: [ModbusChannel]) {
        let parts = steps[step].channels.map {
            Step(
                table: channels[$0].table, address: Int(channels[$0].address), count: channels[$0].count, channels: [$0]
            )
        }
        steps.replaceSubrange(step...step, with: parts)
    }

    /// A channel's part of a step's data.
    static func bytes(of channel: ModbusChannel, in data: [UInt8], _ step: Step) -> [UInt8] {
        let offset = Int(channel.address) - step.address
        if step.table.holdsBits {
            // The first is the lowest bit of the first byte.
            return [data[offset / 8] >> UInt8(offset % 8) & 1]
        }
        return Array(data[(offset * 2)..<(offset * 2 + channel.count * 2)])
    }
}

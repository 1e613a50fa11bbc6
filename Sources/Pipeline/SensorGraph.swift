/// What is wrong with a derived sensor.
public struct PipelineFinding: Sendable, Hashable {
    /// The derived sensor.
    public var sensor: String
    public var message: String
    public var mend: String?
}

extension Pipeline {
    /// What is wrong with the derived sensors among these: unknown names, none at all, and circles. No sensor's channels are known
    /// before it is read.
    public static func check(_ sensors: [PipelineSensor]) -> [PipelineFinding] { SensorGraph(sensors).findings }

    /// These sensors, and all that they are derived from.
    public static func inputs(of names: [String], among sensors: [PipelineSensor]) -> Set<String> {
        let graph = SensorGraph(sensors)
        let wanted = Set(names.compactMap { graph.indices[$0] })
        let origins = sensors.indices.filter { wanted.contains($0) || !wanted.isDisjoint(with: graph.dependents[$0]) }
        return Set(origins.map { sensors[$0].name })
    }
}

/// Which sensor is derived from which.
struct SensorGraph {
    /// By name; the first of a name.
    var indices: [String: Int] = [:]
    /// For each sensor, what its expression's names stand for. None for one in a circle, or behind one.
    var inputs: [[Pipeline.Input?]]
    /// For each sensor, all that are derived from it, each behind its inputs.
    var dependents: [[Int]]
    var findings: [PipelineFinding] = []

    init(_ sensors: [PipelineSensor]) {
        for (index, sensor) in sensors.enumerated() where indices[sensor.name] == nil { indices[sensor.name] = index }
        inputs = []
        dependents = Array(repeating: [], count: sensors.count)
        for sensor in sensors { inputs.append(resolve(sensor, among: sensors)) }

        let order = sortedBehindInputs()
        let sound = Set(order)
        for index in sensors.indices where !sound.contains(index) {
            if let circle = circle(from: index) {
                let names = circle.map { sensors[$0].name }.joined(separator: " → ")
                findings.append(
                    PipelineFinding(
                        sensor: sensors[index].name, message: "is derived from itself: \(names)",
                        mend: "take one of them out of the other's expression"))
            }
        }
        for index in sensors.indices where !sound.contains(index) { inputs[index] = inputs[index].map { _ in nil } }

        var ancestors = Array(repeating: Set<Int>(), count: sensors.count)
        for index in order {
            for case let input? in inputs[index] {
                ancestors[index].formUnion(ancestors[input.sensor])
                ancestors[index].insert(input.sensor)
            }
            for ancestor in ancestors[index] { dependents[ancestor].append(index) }
        }
    }

    private mutating func resolve(_ sensor: PipelineSensor, among sensors: [PipelineSensor]) -> [Pipeline.Input?] {
        guard let expression = sensor.derived?.expression else { return [] }
        if expression.references.isEmpty {
            findings.append(
                PipelineFinding(
                    sensor: sensor.name, message: "names no sensor: it would never be worked out",
                    mend: "write the name of at least one into it"))
        }
        return expression.references.map { reference in
            // The longest beginning that is a sensor's name, since these may have dots.
            for count in stride(from: reference.parts.count, to: 0, by: -1) {
                guard let index = indices[reference.parts.prefix(count).joined(separator: ".")] else { continue }
                let channel = reference.parts.dropFirst(count).joined(separator: ".")
                return Pipeline.Input(sensor: index, channel: channel.isEmpty ? nil : channel)
            }
            let name = reference.parts[0]
            let names = sensors.map(\.name)
            let dashed = names.first { $0.hasPrefix("\(name)-") }
            findings.append(
                PipelineFinding(
                    sensor: sensor.name,
                    message: "at character \(reference.position) of the expression: there is no sensor \"\(name)\"",
                    mend: dashed.map { "if \"\($0)\" is meant, write '\($0)'" } ?? names.suggest(for: name)))
            return nil
        }
    }

    /// Those in a circle, and behind one, are missing.
    private func sortedBehindInputs() -> [Int] {
        var missing = inputs.map { Set($0.compactMap { $0?.sensor }).count }
        var direct: [[Int]] = Array(repeating: [], count: inputs.count)
        for (index, inputs) in inputs.enumerated() {
            for input in Set(inputs.compactMap { $0?.sensor }) { direct[input].append(index) }
        }
        var order = missing.indices.filter { missing[$0] == 0 }
        var next = 0
        while next < order.count {
            for dependent in direct[order[next]] {
                missing[dependent] -= 1
                if missing[dependent] == 0 { order.append(dependent) }
            }
            next += 1
        }
        return order
    }

    /// The shortest way from a sensor back to itself; nil if it is only behind a circle.
    private func circle(from start: Int) -> [Int]? {
        var before: [Int: Int] = [:]
        var queue = [start]
        var next = 0
        while next < queue.count {
            let index = queue[next]
            next += 1
            for case let input? in inputs[index] {
                if input.sensor == start {
                    var way: [Int] = []
                    var step = index
                    while step != start {
                        way.append(step)
                        step = before[step] ?? start
                    }
                    return [start] + Array(way.reversed()) + [start]
                }
                if before[input.sensor] == nil {
                    before[input.sensor] = index
                    queue.append(input.sensor)
                }
            }
        }
        return nil
    }
}

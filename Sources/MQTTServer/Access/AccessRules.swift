/// Who may come in, and what they may publish and receive. A placeholder until the files of Mosquitto can be read.
public struct AccessRules: Sendable {
    public init() {}
}

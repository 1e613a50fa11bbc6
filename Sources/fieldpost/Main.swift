import FieldpostCommands

@main struct Main {
    static func main() { Program.main() }
}

/// This program's version, as statuses and `fieldpost --version` tell it.
public enum FieldpostVersion {
    public static let string = "0.1.0"
}

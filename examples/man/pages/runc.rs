//! ie-runc(8): what it does, and the rows of the file that it reads.

use super::page::{Page, whole};
use super::policy::default;
use ie_container::protocol::layout;
use ie_container::runtime::keys::RUNTIME;

pub(super) fn page() -> String {
    let mut page = Page::new("ie-runc", "the runtime in front of runc");
    page.heading("SYNOPSIS");
    page.paragraph("`runc` [global options] create|exec|start|kill|delete|… [options] ID");
    page.heading("DESCRIPTION");
    page.paragraph(
        "An engine calls ie-runc under the name `runc`, first in its search path. It reads the specification of what is about \
         to run, whoever asked the engine for it, and refuses what is not on its list. What a container does without it takes \
         away: device nodes, setuid programs and what Docker masks. Then it writes the specification anew and becomes the real \
         runc.",
    );
    page.paragraph(
        "It takes the options of runc's that an engine uses, and no verb that would run something else: neither `run` nor \
         `restore`. It is called by nobody but the engine, and stays no longer than until runc begins.",
    );
    page.heading("DIAGNOSTICS");
    page.paragraph(
        "A refusal begins with `ie-runc refuses this container:`. It is one sentence, which the engine hands on to the user and \
         writes into its log. The exit status is 1 then, and runc's own otherwise.",
    );
    page.heading("CONFIGURATION");
    page.paragraph(RUNTIME.about);
    for key in RUNTIME.keys {
        page.item(key.name, key.about);
        page.line(&format!("Type: {}. {} Since {}.", key.kind, default(&key.default), key.since));
        page.line(&format!("Example: `{} = {}`", key.name, key.example));
        page.line(&format!("Mistake: `{} = {}`", key.name, key.mistake));
    }
    page.files(&[(
        layout::RUNTIME,
        "The configuration, where no `runtime.toml` lies beside the program. `ie-container admin init` writes it.",
    )]);
    page.see_also(
        &["ie-container-admin-init(1)", "ie-container-admin-doctor(1)", "ie-containerd(8)"]
            .map(str::to_owned),
    );
    whole("ie-runc", "8", &page.render())
}

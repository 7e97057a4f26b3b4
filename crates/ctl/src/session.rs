//! Connections to the servers, and the user that logs in.

use api::etcdserverpb::AuthenticateRequest;
use api::{Request, Response};
use etcdsim_server::client::Client;
use etcdsim_server::tls::{ClientTls, Files};
use etcdsim_server::url::Url;
use tokio::time::timeout;
use tonic::Status;

use crate::Failure;
use crate::args::Global;

/// An endpoint as an address: without a scheme it speaks TLS if a certificate is given.
fn url_of(endpoint: &str, global: &Global) -> Result<Url, Failure> {
    let tls = global.cacert.is_some();
    let text = match endpoint.contains("://") {
        true => endpoint.to_string(),
        false => format!("{}://{endpoint}", if tls { "https" } else { "http" }),
    };
    text.parse().map_err(|error: etcdsim_server::url::UrlError| Failure::of_args(error.to_string()))
}

/// Connects to one endpoint, and logs in.
pub async fn connect_to(endpoint: &str, global: &Global) -> Result<Client, Failure> {
    let url = url_of(endpoint, global)?;
    let files = Files {
        cert: global.cert.clone(),
        key: global.key.clone(),
        trusted_ca: global.cacert.clone(),
        client_cert_auth: false,
    };
    let tls = match url.tls {
        true => Some(ClientTls::new(files)?),
        false => None,
    };
    let connected = timeout(global.command_timeout, Client::connect(&url, tls.as_ref())).await;
    let mut client =
        connected.map_err(|_| Failure { code: 1, text: "context deadline exceeded".into() })??;
    let Some(user) = &global.user else { return Ok(client) };
    let (name, password) = match (user.split_once(':'), &global.password) {
        (_, Some(password)) => (user.as_str(), password.as_str()),
        (Some((name, password)), None) => (name, password),
        (None, None) => {
            return Err(Failure::of_args("a user needs a password: --user name:password, or --password"));
        }
    };
    let request = AuthenticateRequest { name: name.into(), password: password.into() };
    match client.call(request.into()).await {
        Ok(Response::Authenticate(answer)) => client.set_token(&answer.token)?,
        Ok(_) => {}
        // Without auth on the server, the user does not matter.
        Err(status) if status.message() == api::Error::AuthNotEnabled.text() => {}
        Err(status) => return Err(status.into()),
    }
    Ok(client)
}

/// Connects to the first endpoint that can be reached.
pub async fn connect(global: &Global) -> Result<Client, Failure> {
    let mut failure = Failure::of_args("no endpoint is given");
    for endpoint in &global.endpoints {
        match connect_to(endpoint, global).await {
            Ok(client) => return Ok(client),
            Err(error) => failure = error,
        }
    }
    Err(failure)
}

/// Makes one call, within the time limit of a command.
pub async fn call(client: &mut Client, global: &Global, request: Request) -> Result<Response, Failure> {
    within(global, client.call(request)).await
}

/// Waits for an answer, within the time limit of a command.
pub async fn within<T>(
    global: &Global,
    answer: impl Future<Output = Result<T, Status>>,
) -> Result<T, Failure> {
    match timeout(global.command_timeout, answer).await {
        Ok(answer) => Ok(answer?),
        Err(_) => Err(Failure { code: 1, text: "context deadline exceeded".into() }),
    }
}

/// Connects, and makes one call.
pub async fn ask(global: &Global, request: Request) -> Result<Response, Failure> {
    call(&mut connect(global).await?, global, request).await
}
